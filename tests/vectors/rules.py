"""What is hashed, signed and proven of the structures: docs/LEDGER.md, "Formats"."""

import formats
from blake3 import blake3, keyed
from codec import Refused, decode
from ed25519 import is_registrable, verify_strict, verify_zip215

TAGS = {name: f"quorate/{tag}/1\0".encode() for name, tag in {
    "Header": "header", "Result": "result", "Receipt": "receipt", "ValidatorSet": "validator-set",
    "Genesis": "genesis", "StateKey": "state-key", "StateValue": "state-value", "Asset": "asset",
    "Transaction": "transaction", "Proposal": "proposal", "Prepare": "prepare", "Commit": "commit", "Ask": "ask",
    "ViewChange": "view-change", "NewView": "new-view", "Suspect": "suspect", "Status": "status", "Recall": "recall",
    "Newest": "newest", "Card": "card", "CardPossession": "card-possession", "Ready": "ready",
}.items()}
NO_CHAIN = bytes(32)
EMPTY = b"quorate/state-tree/v1/empty-node"
LEAF = b"quorate/state-tree/v1/leaf-pairs"
PAIR = b"quorate/state-tree/v1/inner-pair"
LIST_LEAF = b"quorate/list/v1/leaf-of-one-item"
LIST_NODE = b"quorate/list/v1/node-of-2-digest"
LEAF_KEYS_MAX = 32


def tagged(domain, data):
    return blake3(TAGS[domain] + data)


def signed_bytes(domain, chain, payload):
    return TAGS[domain] + chain + payload


def check_transaction(data, chain):
    """The transaction, if all of `data` is one of this chain whose signatures hold; else Refused."""
    if len(data) > formats.TRANSACTION_BYTES_MAX:
        raise Refused("too long")
    value = decode(formats.TRANSACTION, data)
    account = value["body"]["account"]
    if any(witness["key"] == account for witness in value["witnesses"]):
        raise Refused("names the key that is left out")
    keys = [witness["key"] or account for witness in value["witnesses"]]
    if any(a >= b for a, b in zip(keys, keys[1:])):
        raise Refused("keys do not ascend")
    if value["body"]["chain"] != chain[:4].hex():
        raise Refused("another chain")
    message = signed_bytes("Transaction", chain, formats.BODY.write(value["body"]))
    for key, witness in zip(keys, value["witnesses"]):
        if not verify_zip215(bytes.fromhex(key), message, bytes.fromhex(witness["signature"])):
            raise Refused("a signature does not hold")
    return value


def _split(count):
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def list_root(items):
    """A tree of RFC 6962's shape."""
    if not items:
        return blake3(b"")
    if len(items) == 1:
        return keyed(LIST_LEAF, items[0] + bytes(32))
    left = _split(len(items))
    return keyed(LIST_NODE, list_root(items[:left]) + list_root(items[left:]))


def list_proof_holds(proof, root, item):
    def digest(index, count, siblings):
        if count == 1:
            if siblings:
                raise Refused("too many siblings")
            return keyed(LIST_LEAF, item + bytes(32))
        if not siblings:
            raise Refused("too few siblings")
        left, other = _split(count), bytes.fromhex(siblings[-1])
        if index < left:
            return keyed(LIST_NODE, digest(index, left, siblings[:-1]) + other)
        return keyed(LIST_NODE, other + digest(index - left, count - left, siblings[:-1]))

    if proof["index"] >= proof["count"]:
        return False
    try:
        return digest(proof["index"], proof["count"], proof["siblings"]) == root
    except Refused:
        return False


def state_pair(key, value):
    """What the tree holds of an entry: the hash of its key, and that of key and value."""
    return tagged("StateKey", key), tagged("StateValue", key + value)


def nibble(key_hash, depth):
    return key_hash[depth // 2] >> (0 if depth % 2 else 4) & 15


def leaf_digest(pairs):
    return keyed(LEAF, b"".join(key + value for key, value in pairs)) if pairs else EMPTY


def state_root(pairs, depth=0):
    """Of pairs in ascending order."""
    if len(pairs) <= LEAF_KEYS_MAX:
        return leaf_digest(pairs)
    below = [[] for _ in range(16)]
    for pair in pairs:
        below[nibble(pair[0], depth)].append(pair)
    digests = [state_root(part, depth + 1) for part in below]
    while len(digests) > 1:
        digests = [keyed(PAIR, digests[i] + digests[i + 1]) for i in range(0, len(digests), 2)]
    return digests[0]


def state_proof_shows(proof, root, key_hash):
    """The value's hash, or None where there is no such entry; Refused if the proof shows neither."""
    pairs = [(bytes.fromhex(key), bytes.fromhex(value)) for key, value in proof["leaf"]]
    if any(a[0] >= b[0] for a, b in zip(pairs, pairs[1:])):
        raise Refused("pairs do not ascend")
    path = [nibble(key_hash, depth) for depth in range(len(proof["levels"]))]
    if any([nibble(key, depth) for depth in range(len(path))] != path for key, _ in pairs):
        raise Refused("a leaf from elsewhere")
    digest = leaf_digest(pairs)
    for way, level in reversed(list(zip(path, proof["levels"]))):
        for height, sibling in enumerate(reversed(level)):
            other = bytes.fromhex(sibling)
            digest = keyed(PAIR, other + digest if way >> height & 1 else digest + other)
    if digest != root:
        raise Refused("another root")
    return dict(pairs).get(key_hash)


def quorum(count):
    """f and q."""
    f = (count - 1) // 3
    return f, (count + f) // 2 + 1


def certificate_holds(domain, vote, signatures, validators, chain):
    """Whether a quorum of distinct validators, in ascending order, signed the vote's bytes."""
    seats = [one["validator"] for one in signatures]
    if any(a >= b for a, b in zip(seats, seats[1:])) or len(seats) < quorum(len(validators))[1]:
        return False
    if seats[-1] >= len(validators):
        return False
    message = signed_bytes(domain, chain, vote)
    return all(
        verify_strict(
            bytes.fromhex(validators[one["validator"]]["consensus"]), message, bytes.fromhex(one["signature"])
        )
        for one in signatures
    )


def commit_vote(commit):
    renamed = {"block": commit["block_hash"], "result": commit["result_hash"]}
    return formats.COMMIT_VOTE.write({**{name: commit[name] for name in ("epoch", "view", "height")}, **renamed})


def commit_holds(commit, validators, chain):
    return certificate_holds("Commit", commit_vote(commit), commit["signatures"], validators, chain)


def certified_header_holds(proof, epoch, validators, chain):
    """Header and result follow from the certificate of the last header of the path (R22)."""
    headers, commit = [proof["header"], *proof["path"]], proof["commit"]
    results = [tagged("Result", formats.RESULT.write(proof["result"])).hex()]
    results += [header["parent_result"] for header in headers[2:]] + [commit["result_hash"]] * (len(headers) > 1)
    hashes = [tagged("Header", formats.HEADER.write(header)).hex() for header in headers]
    if any(one["epoch"] != epoch for one in [*headers, commit]):
        return False
    for parent, child, parent_hash, result in zip(headers, headers[1:], hashes, results):
        if (child["height"], child["parent"], child["parent_result"]) != (parent["height"] + 1, parent_hash, result):
            return False
    last = (headers[-1]["height"], hashes[-1], results[-1])
    if (commit["height"], commit["block_hash"], commit["result_hash"]) != last:
        return False
    return commit_holds(commit, validators, chain)


def card_holds(card):
    payload = formats.VALIDATOR.write(card["validator"]) + formats.ADDRESS.write(card["address"])
    return all(
        is_registrable(key := bytes.fromhex(card["validator"][name]))
        and verify_strict(key, signed_bytes(domain, NO_CHAIN, payload), bytes.fromhex(card[f"{name}_signature"]))
        for name, domain in (("identity", "Card"), ("consensus", "CardPossession"), ("network", "CardPossession"))
    )


def genesis_entries(document, accounts):
    """The state at height 0, as (key, value)."""
    quota = {"spent": 0, "at": 0, "state_bytes": 0}
    seats = [card["validator"] for card in document["members"]]
    yield {"type": "parameters"}, {"type": "parameters", "parameters": document["parameters"]}
    yield {"type": "validators"}, {"type": "validators", "epoch": 0, "set": seats}
    for seat in seats:
        yield {"type": "seated", "key": seat["consensus"]}, {"type": "seated", "epoch": 0}
    for organisation, name in {seat["organisation"]: seat["name"] for seat in reversed(seats)}.items():
        value = {"type": "organisation", "name": name, "status": "active", "quota": quota}
        yield {"type": "organisation", "organisation": organisation}, value
    for account in accounts:
        said = {name: account[name] for name in ("balance", "organisation", "roles", "keys", "threshold")}
        value = {"type": "account", "nonce": 0, **said, "status": "active", "holdings": 0, "quota": quota}
        yield {"type": "account", "account": account["address"]}, value
    supply = str(sum(int(account["balance"]) for account in accounts))
    yield {"type": "asset", "asset": NO_CHAIN.hex()}, {
        "type": "asset", "issuer": None, "symbol": "UNIT", "decimals": 0, "supply_max": supply, "supply": supply,
        "rules": {"mint": False, "burn": False, "freeze": False},
    }
