"""ed25519 from RFC 8032, with the two predicates that Quorate verifies by. Points are (X, Y, Z, T), extended
coordinates. Not in constant time: for public data only."""

import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)


def _add(a, b):
    m = (a[1] - a[0]) * (b[1] - b[0]) % P
    n = (a[1] + a[0]) * (b[1] + b[0]) % P
    c = 2 * a[3] * b[3] * D % P
    d = 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _double(a):
    x, y = a[0] * a[0] % P, a[1] * a[1] % P
    z = 2 * a[2] * a[2] % P
    h = x + y
    e = h - (a[0] + a[1]) ** 2 % P
    g = x - y
    f = z + g
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _multiply(scalar, point):
    result = NEUTRAL
    for bit in bin(scalar)[2:]:
        result = _double(result)
        if bit == "1":
            result = _add(result, point)
    return result


def _equal(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def _negative(a):
    return (-a[0] % P, a[1], a[2], -a[3] % P)


def decompress(encoding):
    """The point, or None. Takes encodings that are not canonical too, as ZIP-215 does."""
    number = int.from_bytes(encoding, "little")
    sign, y = number >> 255, (number & (2**255 - 1)) % P
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if v * x * x % P != u:
        return None
    if x & 1 != sign:
        x = -x % P
    return (x, y, 1, x * y % P)


def compress(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _is_small(point):
    return _equal(_multiply(8, point), NEUTRAL)


def _canonical(encoding):
    """The point of an encoding that is the only one it has, or None."""
    point = decompress(encoding)
    return point if point and compress(point) == encoding else None


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def _sha512(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def public_key(seed):
    digest = bytearray(hashlib.sha512(seed).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    return compress(_multiply(int.from_bytes(digest, "little"), BASE))


def is_registrable(key):
    """Whether a key may be registered: canonical, and not of small order."""
    point = _canonical(key)
    return point is not None and not _is_small(point)


def _difference(key_point, key, message, signature):
    """[S]B - [k]A, for S below the order; None above it."""
    s = int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        return None
    k = _sha512(signature[:32], key, message) % ORDER
    return _add(_multiply(s, BASE), _negative(_multiply(k, key_point)))


def verify_strict(key, message, signature):
    """Votes, certificates, cards: R canonical, neither R nor the key of small order, no cofactor."""
    a, r = decompress(key), _canonical(signature[:32])
    if a is None or r is None or _is_small(a) or _is_small(r):
        return False
    found = _difference(a, key, message, signature)
    return found is not None and _equal(found, r)


def verify_zip215(key, message, signature):
    """Transactions: any encodings, multiplied by the cofactor."""
    a, r = decompress(key), decompress(signature[:32])
    if a is None or r is None:
        return False
    found = _difference(a, key, message, signature)
    return found is not None and _is_small(_add(found, _negative(r)))
