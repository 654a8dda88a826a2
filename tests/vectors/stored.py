"""The files of a node: journals, archives, what the store keeps of the blocks. docs/LEDGER.md, "Stored"."""

import formats
import rules
from blake3 import blake3, derived, keyed
from codec import Refused

SECTOR_BYTES = 512
OWNERS = {1: ("chain", 32), 2: ("votes", 16)}
BODY, COMMIT = 1, 2
ARCHIVED, END = 1, 2


def number(data):
    return int.from_bytes(data, "little")


def owner_bytes(owner):
    for code, (name, _) in OWNERS.items():
        if name in owner:
            return bytes([code]) + bytes.fromhex(owner[name]).ljust(32, b"\0")
    raise Refused("no owner")


def segment_header(head):
    """The header's sector, of its fields."""
    data = b"QUORJRNL" + (2).to_bytes(2, "little") + bytes(6)
    data += b"".join(head[name].to_bytes(8, "little") for name in ("number", "bytes", "first_sequence"))
    data += bytes.fromhex(head["identity"]) + owner_bytes(head["owner"])
    return (data + blake3(data)[:16]).ljust(SECTOR_BYTES, b"\0")


def read_segment_header(sector):
    name, size = OWNERS.get(sector[56], ("", 0))
    head = {
        "number": number(sector[16:24]), "bytes": number(sector[24:32]), "first_sequence": number(sector[32:40]),
        "identity": sector[40:56].hex(), "owner": {name: sector[57:57 + size].hex()},
    }
    if segment_header(head) != sector:
        raise Refused("no header of a segment")
    return head


def record_key(head):
    material = bytes.fromhex(head["identity"]) + head["number"].to_bytes(8, "little") + owner_bytes(head["owner"])
    return derived("quorate journal segment key 2", material)


def record_bytes(key, record):
    """A record of a journal, with the zeros behind it."""
    payload = record["payload"]
    data = b"QREC" + len(payload).to_bytes(4, "little")
    data += record["sequence"].to_bytes(8, "little") + record["synced"].to_bytes(8, "little")
    data += bytes([record["kind"], 0, 0, 0])
    data += keyed(key, data)[:4]
    data += keyed(key, data + payload)[:16] + payload
    return data + bytes(-len(data) % 8)


def read_segment(data, length):
    """Header and records of a segment's file, which is zeros behind `data`; Refused at anything else."""
    head = read_segment_header(data[:SECTOR_BYTES])
    if head["bytes"] != length:
        raise Refused("another length")
    data = data.ljust(length, b"\0")
    key, at, records = record_key(head), SECTOR_BYTES, []
    while any(data[at:]):
        start = data[at:at + 48]
        record = {
            "offset": at, "sequence": number(start[8:16]), "synced": number(start[16:24]), "kind": start[24],
            "payload": data[at + 48:at + 48 + number(start[4:8])],
        }
        whole = record_bytes(key, record)
        if data[at:at + len(whole)] != whole:
            raise Refused(f"no record at {at}")
        if record["sequence"] != head["first_sequence"] + len(records) or record["synced"] >= record["sequence"]:
            raise Refused(f"out of sequence at {at}")
        records.append(record)
        at += len(whole)
    return head, records


def read_journal(files):
    """Owner and records of all segments, in order; each record with its place."""
    heads, all_records = [], []
    for file in files:
        head, records = read_segment(bytes.fromhex(file["bytes"]), file["length"])
        if file["file"] != f"{head['number']:010}.journal" or head["first_sequence"] != 1 + len(all_records):
            raise Refused("a segment that does not follow")
        for record in records:
            place = {"segment": head["number"], "offset": record.pop("offset")}
            all_records.append({"place": place, **record})
        heads.append(head)
    if len({(head["identity"], str(head["owner"])) for head in heads}) != 1:
        raise Refused("segments of several journals")
    if [head["number"] for head in heads] != list(range(1, len(heads) + 1)):
        raise Refused("a segment is missing")
    return heads[0]["owner"], all_records


def sealed(table, key, value):
    """A value of the store, as it is stored: with its checksum."""
    data = table.encode() + b"\0" + len(key).to_bytes(8, "little") + key + value
    return value + blake3(data)[:8]


ACCOUNTS_OF_EVENTS = {
    "account_registered": ("account",), "account_keys_set": ("account",), "account_roles_set": ("account",),
    "account_status_set": ("account",), "transferred": ("from", "to"), "asset_created": ("issuer",),
    "minted": ("to",), "burned": ("from",), "holder_frozen": ("holder",), "data_put": ("namespace",),
    "data_deleted": ("namespace",), "data_transferred": ("namespace", "from", "to"),
    "document_anchored": ("account",),
}


def accounts_of(body, receipt):
    """Whom a transaction acts for or touches."""
    accounts = {body["account"], body["sponsor"] or body["account"]}
    accounts |= {step.get("actor", body["account"]) for step in body["instructions"]}
    for event in receipt["events"]:
        accounts |= {event[field] for field in ACCOUNTS_OF_EVENTS.get(event["type"], ())}
    return sorted(bytes.fromhex(account) for account in accounts)


def tree_bytes(pairs, depth=0):
    """A state tree as a checkpoint keeps it: shape, counts, digests of leaves."""
    if not pairs:
        return b"\0"
    if len(pairs) <= rules.LEAF_KEYS_MAX:
        return bytes([len(pairs)]) + rules.leaf_digest(pairs)
    below = [[] for _ in range(16)]
    for pair in pairs:
        below[rules.nibble(pair[0], depth)].append(pair)
    return b"\xff" + b"".join(tree_bytes(part, depth + 1) for part in below)


def archive_bytes(chain, first, blocks):
    """An archive of these blocks."""
    data = b"QUORARCH" + (1).to_bytes(2, "little") + bytes(6) + chain + first.to_bytes(8, "little")
    data += blake3(data)[:16]
    key = derived("quorate archive record key 1", data)
    records = [(ARCHIVED, formats.ARCHIVED_BLOCK.write(block)) for block in blocks]
    records.append((END, len(blocks).to_bytes(8, "little")))
    for place, (kind, payload) in enumerate(records):
        start = len(payload).to_bytes(4, "little") + bytes([kind, 0, 0, 0])
        data += start + keyed(key, place.to_bytes(8, "little") + start + payload)[:16] + payload
    return data


PAGE_BYTES = 8192
# What a run's pages are named after.
INDEXES = ("hashes", "transactions", "history")


def run_rows(tag, first, last, entries):
    """A run as the store has it: pages of ascending entries, each with the first key of the next one."""
    entries = sorted(entries.items())
    keys = [key for key, _ in entries]
    step = PAGE_BYTES // sum(map(len, entries[0]))
    name = bytes([tag]) + first.to_bytes(8, "big") + last.to_bytes(8, "big")
    rows = {}
    for at in range(0, len(entries), step):
        follows = b"\1" + keys[at + step] if at + step < len(entries) else b"\0"
        rows[name + (keys[at] if at else b"")] = follows + b"".join(map(b"".join, entries[at : at + step]))
    return rows


def manifest_bytes(runs):
    """Which runs there are: index, heights, level, entries."""
    data = len(runs).to_bytes(4, "little")
    for tag, first, last, level, entries in runs:
        data += bytes([tag]) + first.to_bytes(8, "little") + last.to_bytes(8, "little")
        data += bytes([level]) + entries.to_bytes(8, "little")
    return data
