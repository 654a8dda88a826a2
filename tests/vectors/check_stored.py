"""What a node stores, made again from the blocks in its journal: every row, checksum and file."""

import formats
import rules
import stored as files
from blake3 import blake3
from codec import Refused, decode
from compared import decoded, refused, same, unhex


class Chain:
    """What the journal's records add up to."""

    def __init__(self, chain, genesis):
        self.chain, self.height, self.epoch, self.parent = chain, 0, 0, chain.hex()
        self.state, self.bodies, self.archived = {}, {}, []
        self.rows = {name: {} for name in ("state", "holdings", "blocks", "epochs")}
        self.entered = {name: {} for name in files.INDEXES}
        for key, value in genesis:
            self.change(bytes.fromhex(key), bytes.fromhex(value))
        self.validators = next(
            value["set"] for value in map(self.value, self.state.values()) if value["type"] == "validators"
        )
        self.enter(1)
        seats = rules.tagged("ValidatorSet", formats.VALIDATOR_SET.write(self.validators)).hex()
        roots = {"state_root": rules.state_root(self.pairs()).hex(), "receipts_root": rules.list_root([]).hex()}
        self.result = {**roots, "next_set_hash": seats}

    @staticmethod
    def value(entry):
        return decode(formats.STATE_VALUE, entry[1])

    def change(self, key, value):
        key_hash = rules.tagged("StateKey", key)
        fields = decoded(formats.STATE_KEY, key, "key of an entry")
        rows = {"state": key_hash}
        if fields["type"] == "balance":
            rows["holdings"] = bytes.fromhex(fields["account"] + fields["asset"])
        for table, at in rows.items():
            if value is None:
                self.rows[table].pop(at)
            else:
                self.rows[table][at] = key + value if table == "state" else b""
        if value is None:
            self.state.pop(key_hash)
        else:
            self.state[key_hash] = (key, value)

    def enter(self, first):
        start = formats.EPOCH_START.write({"first": first, "validators": self.validators})
        self.rows["epochs"][self.epoch.to_bytes(8, "big")] = start

    def pairs(self):
        return sorted(rules.state_pair(*entry) for entry in self.state.values())

    def body(self, record):
        block = decoded(formats.BLOCK, record["payload"], "body")
        ids = [blake3(bytes.fromhex(data)) for data in block["transactions"]]
        same(rules.list_root(ids).hex(), block["header"]["transactions_root"], "transactions of a body")
        self.bodies[str(record["place"])] = (block, ids)

    def commit(self, record):
        commit = decoded(formats.COMMIT_RECORD, record["payload"], "commit")
        block, ids = self.bodies[str(commit["body"])]
        header, result, height = block["header"], commit["result"], self.height + 1
        block_hash = rules.tagged("Header", formats.HEADER.write(header)).hex()
        same((commit["height"], header["height"], header["parent"]), (height, height, self.parent), "commit")
        same(block_hash, commit["block"], "block of a commit")
        parent_result = rules.tagged("Result", formats.RESULT.write(self.result)).hex()
        same(header["parent_result"], parent_result, "result of the parent")
        proof = {"header": header, "result": result, "path": commit["path"], "commit": commit["certificate"]}
        same(rules.certified_header_holds(proof, self.epoch, self.validators, self.chain), True, "certificate")
        receipts = [rules.tagged("Receipt", formats.RECEIPT.write(one)) for one in commit["receipts"]]
        same(rules.list_root(receipts).hex(), result["receipts_root"], "receipts of a commit")
        for key, value in commit["changes"]:
            self.change(formats.STATE_KEY.write(key), None if value is None else formats.STATE_VALUE.write(value))
        same(rules.state_root(self.pairs()).hex(), result["state_root"], "state after a commit")
        self.height, self.parent, self.result = height, block_hash, result
        self.index(record["place"], commit, block, ids)

    def index(self, place, commit, block, ids):
        height = self.height
        where = {"hash": commit["block"], "body": commit["body"], "commit": place}
        self.rows["blocks"][height.to_bytes(8, "big")] = formats.BLOCK_PLACE.write(where)
        self.entered["hashes"][bytes.fromhex(commit["block"])] = height.to_bytes(8, "little")
        for number, (data, receipt) in enumerate(zip(block["transactions"], commit["receipts"], strict=True)):
            same(receipt["transaction"], ids[number].hex(), "transaction of a receipt")
            body = rules.check_transaction(bytes.fromhex(data), self.chain)["body"]
            for account in files.accounts_of(body, receipt):
                key = account + height.to_bytes(8, "big") + number.to_bytes(4, "big")
                self.entered["history"][key] = b""
            self.entered["transactions"][ids[number]] = height.to_bytes(8, "little") + number.to_bytes(4, "little")
        self.archived.append({"block": block, **{name: commit[name] for name in ("result", "certificate", "path")}})
        for key, value in commit["changes"]:
            if key["type"] == "validators":
                self.epoch, self.validators = value["epoch"], value["set"]
                self.enter(height + 1)


def stored(file):
    chain = unhex(file, "chain")
    owner, records = files.read_journal(file["journal"])
    same(owner, {"chain": file["chain"]}, "owner of the journal")
    made = Chain(chain, file["genesis"])
    for record in records:
        {files.BODY: made.body, files.COMMIT: made.commit}[record["kind"]](record)
    made.rows["runs"] = {}
    for tag, name in enumerate(files.INDEXES):
        made.rows["runs"].update(files.run_rows(tag, 1, made.height, made.entered[name]))
    for table, rows in file["tables"].items():
        expected = {key.hex(): files.sealed(table, key, value).hex() for key, value in made.rows[table].items()}
        same(dict(rows), expected, f"rows of {table}")
        same([key for key, _ in rows], sorted(expected), f"order of {table}")
    same(set(file["tables"]), set(made.rows), "tables")
    noted(file, made, records)
    same(files.archive_bytes(chain, 1, made.archived).hex(), file["archive"], "archive")
    flipped(file)


def noted(file, made, records):
    """The files beside sled: up to where it has all, and the tree."""
    data = unhex(file, "applied")
    body, size = data[:-32], 8 + 16 + 1
    same(blake3(body), data[-32:], "checksum of applied")
    applied = decoded(formats.APPLIED, body[:size], "applied")
    waiting = [record["place"] for record in records if record["kind"] == files.BODY][made.height]
    same(applied, {"height": made.height, "scan_from": waiting, "index": "full"}, "applied")
    runs = [(tag, 1, made.height, 0, len(made.entered[name])) for tag, name in enumerate(files.INDEXES)]
    same(body[size:].hex(), files.manifest_bytes(runs).hex(), "runs")
    tree = b"QRTTREE1" + body[:size] + files.tree_bytes(made.pairs())
    same((tree + blake3(tree)).hex(), file["tree"], "tree")


def flipped(file):
    """A changed byte is noticed: the checks above are none that pass whatever is there."""
    for segment in file["journal"]:
        data = unhex(segment)
        for at in [*range(0, 105), *range(105, len(data), 97)]:
            damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
            same(refused(lambda: files.read_segment(damaged, segment["length"])), True, f"byte {at} flipped")


def signature_holds(validators, chain, domain, kind, one, signer):
    message = rules.signed_bytes(domain, chain, kind.write(one["payload"]))
    key = bytes.fromhex(validators[signer]["consensus"])
    return rules.verify_strict(key, message, bytes.fromhex(one["signature"]))


EVIDENCE = {
    "proposals": ("Proposal", formats.CLAIM, ("epoch", "view", "height")),
    "prepares": ("Prepare", formats.PREPARE_VOTE, ("epoch", "view", "height")),
    "commits": ("Commit", formats.COMMIT_VOTE, ("epoch", "view", "height")),
    "view_changes": ("ViewChange", formats.CLAIMS, ("epoch", "target")),
    "new_views": ("NewView", formats.NEW_VIEW, ("epoch", "view")),
}


def judged(found, validators, chain):
    """Who signed two payloads for one slot, in which epoch; or why it shows nothing."""
    domain, kind, slot = EVIDENCE[found["type"]]
    both = [found["first"], found["second"]]
    if found["type"] == "new_views":
        both = [
            {"payload": one["contents"], "signer": found["primary"], "signature": one["signature"]} for one in both
        ]
    if not all(signature_holds(validators, chain, domain, kind, one, one["signer"]) for one in both):
        return "a signature does not hold"
    slots = [(one["signer"], *(one["payload"][name] for name in slot)) for one in both]
    if both[0]["payload"] == both[1]["payload"]:
        return "one payload"
    return slots[0][:2] if slots[0] == slots[1] else "two slots"


class Votes:
    """What the records of a vote journal add up to."""

    def __init__(self, epoch=0, starts=0, lost=False, previous=None):
        self.now = {
            "epoch": epoch, "starts": starts, "view": 0, "new_view": None, "prepares": [], "commits": [],
            "highest_prepared": None, "view_change": None, "lease": None, "lost": lost,
        }
        self.previous = previous

    def fields(self):
        return {"now": self.now, "previous": self.previous}

    def raise_prepared(self, found):
        def key(prepared):
            return prepared["vote"]["view"], prepared["vote"]["height"]

        if found and (self.now["highest_prepared"] is None or key(self.now["highest_prepared"]) < key(found)):
            self.now["highest_prepared"] = found

    def apply(self, record):
        fields = {name: one for name, one in record.items() if name != "type"}
        signed = next((fields[name] for name in ("contents", "vote", "claims") if name in fields), fields)
        if record["type"] != "epoch" and signed.get("epoch", self.now["epoch"]) != self.now["epoch"]:
            return
        match record["type"]:
            case "start":
                self.now["starts"] = fields["number"]
            case "entered":
                self.now.update(view=fields["contents"]["view"], new_view=fields, prepares=[], commits=[], lease=None)
            case "prepare" if fields["view"] == self.now["view"]:
                self.now["prepares"].append([fields["height"], fields])
            case "commit":
                if fields["vote"]["view"] == self.now["view"]:
                    self.now["commits"].append([fields["vote"]["height"], fields["vote"]])
                self.raise_prepared(fields["prepared"])
            case "view_change":
                self.raise_prepared(fields["prepared"])
                self.now["view_change"] = fields
            case "lease" if fields["view"] == self.now["view"]:
                self.now["lease"] = fields["height"]
            case "epoch":
                before = {"now": self.now, "previous": None}
                self.__init__(fields["epoch"], self.now["starts"], self.now["lost"], before)
            case "lost":
                self.now["lost"] = True
            case "released":
                self.previous = None


def records(file):
    chain, validators = unhex(file, "chain"), file["validators"]
    owner, found = files.read_journal(file["journal"])
    same(owner, {"votes": file["record"]}, "owner of the vote journal")
    votes, kinds = Votes(), []
    for record in found:
        same(record["kind"], 1, "kind of a vote journal's record")
        one = decoded(formats.VOTE_RECORD, record["payload"], "vote record")
        kinds.append(one["type"])
        for prepared in filter(None, [one.get("prepared")]):
            vote = formats.PREPARE_VOTE.write(prepared["vote"])
            holds = rules.certificate_holds("Prepare", vote, prepared["signatures"], validators, chain)
            same(holds, True, f"P of a {one['type']}")
        if one["type"] == "snapshot":
            same(one["state"], votes.fields(), "snapshot")
        votes.apply(one)
    same((kinds, set(kinds)), (file["kinds"], set(formats.VOTE_RECORD.structs)), "kinds of vote records")
    for one in file["evidence"]:
        fields = decoded(formats.EVIDENCE, unhex(one), f"evidence: {one['name']}")
        accused = judged(fields, validators, chain)
        expected = one["nothing"] if one["accused"] is None else (one["accused"], one["epoch"])
        same(accused, expected, f"evidence: {one['name']}")
    same({decode(formats.EVIDENCE, unhex(one))["type"] for one in file["evidence"]}, set(EVIDENCE), "evidence")
    flipped(file)
