"""BLAKE3 with outputs of 32 bytes, plain, keyed and deriving keys, from its specification. Written to be read, not to be fast."""

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT, KEYED, CONTEXT, MATERIAL = 1, 2, 4, 8, 16, 32, 64
CHUNK_BYTES, BLOCK_BYTES = 1024, 64
COLUMNS_AND_DIAGONALS = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)


def _schedules():
    """The order of the message's words in each of the seven rounds."""
    order = tuple(range(16))
    for _ in range(7):
        yield order
        order = tuple(order[i] for i in PERMUTATION)


SCHEDULES = tuple(_schedules())


def _compress(chaining, words, counter, length, flags):
    mask = 0xFFFFFFFF
    v = [*chaining, *IV[:4], counter & mask, counter >> 32, length, flags]
    for order in SCHEDULES:
        for step, (a, b, c, d) in enumerate(COLUMNS_AND_DIAGONALS):
            va, vb, vc, vd = v[a], v[b], v[c], v[d]
            va = (va + vb + words[order[2 * step]]) & mask
            vd ^= va
            vd = (vd >> 16 | vd << 16) & mask
            vc = (vc + vd) & mask
            vb ^= vc
            vb = (vb >> 12 | vb << 20) & mask
            va = (va + vb + words[order[2 * step + 1]]) & mask
            vd ^= va
            vd = (vd >> 8 | vd << 24) & mask
            vc = (vc + vd) & mask
            vb ^= vc
            vb = (vb >> 7 | vb << 25) & mask
            v[a], v[b], v[c], v[d] = va, vb, vc, vd
    return tuple(v[i] ^ v[i + 8] for i in range(8))


def _words(block):
    block = block.ljust(BLOCK_BYTES, b"\0")
    return [int.from_bytes(block[i:i + 4], "little") for i in range(0, BLOCK_BYTES, 4)]


def _chunk(key, data, counter, flags):
    """The chaining value of one chunk; `flags` has ROOT if it is the whole message."""
    blocks = [data[i:i + BLOCK_BYTES] for i in range(0, len(data), BLOCK_BYTES)] or [b""]
    chaining = key
    for number, block in enumerate(blocks):
        its = flags & ~ROOT
        if number == 0:
            its |= CHUNK_START
        if number == len(blocks) - 1:
            its |= CHUNK_END | (flags & ROOT)
        chaining = _compress(chaining, _words(block), counter, len(block), its)
    return chaining


def _subtree(key, data, counter, flags):
    if len(data) <= CHUNK_BYTES:
        return _chunk(key, data, counter, flags)
    chunks = (len(data) + CHUNK_BYTES - 1) // CHUNK_BYTES
    left = 1 << ((chunks - 1).bit_length() - 1)
    below = flags & ~ROOT
    words = (
        *_subtree(key, data[:left * CHUNK_BYTES], counter, below),
        *_subtree(key, data[left * CHUNK_BYTES:], counter + left, below),
    )
    return _compress(key, words, 0, BLOCK_BYTES, flags | PARENT)


def _bytes(words):
    return b"".join(word.to_bytes(4, "little") for word in words)


def blake3(data):
    """The hash of `data`."""
    return _bytes(_subtree(IV, data, 0, ROOT))


def _key(data):
    return tuple(int.from_bytes(data[i:i + 4], "little") for i in range(0, 32, 4))


def keyed(key, data):
    """The hash of `data` keyed with 32 bytes."""
    return _bytes(_subtree(_key(key), data, 0, ROOT | KEYED))


def derived(context, material):
    """The key that `material` gives for a use."""
    key = _subtree(IV, context.encode(), 0, ROOT | CONTEXT)
    return _bytes(_subtree(key, material, 0, ROOT | MATERIAL))
