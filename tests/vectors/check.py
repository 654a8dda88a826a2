#!/usr/bin/env python3
"""Recomputes the golden vectors of this folder with nothing but Python's standard library, from the formats in
docs/LEDGER.md: decodes every bytes, encodes every fields, hashes, builds roots, verifies proofs and signatures.

    python3 tests/vectors/check.py        (Python 3.10 or later)

One line a group; exits with 1 if anything differs. It shares no code with the node.
"""

import json
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True  # Nothing is left behind in the folder.

import compared
import formats
import rules
from blake3 import blake3, derived, keyed
from check_stored import records, stored
from codec import Refused, decode
from compared import both_ways, differences, refused, same, unhex
from ed25519 import is_registrable, public_key, verify_strict, verify_zip215

FOLDER = Path(__file__).resolve().parent


def own_parts():
    """BLAKE3 and ed25519 themselves, by the published vectors."""
    data = bytes(i % 251 for i in range(3073))
    for length, expected in (
        (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"),
        (1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"),
        (1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"),
        (2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030"),
        (3073, "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3"),
    ):
        same(blake3(data[:length]).hex(), expected, f"BLAKE3 of {length} bytes")
    key = b"whats the Elvish word for friend"
    context = "BLAKE3 2019-12-27 16:29:52 test vectors context"
    same(derived(context, b"").hex(), "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d", "derived key")
    same(keyed(key, b"").hex(), "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26", "keyed BLAKE3")
    rfc8032 = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    same(public_key(bytes.fromhex(rfc8032)).hex(), public, "RFC 8032 §7.1, test 1")


def keys(file):
    same({one["domain"]: one["tag"] for one in file["domains"]}, {n: t.hex() for n, t in rules.TAGS.items()}, "tags")
    for one in file["seeds"]:
        same(public_key(unhex(one, "seed")).hex(), one["key"], "key of a seed")
    for one in file["keys"]:
        same(is_registrable(unhex(one, "key")), one["registrable"], f"key: {one['name']}")
    for one in file["signatures"]:
        signed = (unhex(one, "key"), unhex(one, "message"), unhex(one, "signature"))
        same(verify_strict(*signed), one["strict"], f"strict: {one['name']}")
        same(verify_zip215(*signed), one["zip215"], f"ZIP-215: {one['name']}")


def taming(file):
    for one in file["vectors"]:
        signed = (unhex(one, "key"), unhex(one, "message"), unhex(one, "signature"))
        same(verify_strict(*signed), one["strict"], f"strict: {one['what']}")
        same(verify_zip215(*signed), one["zip215"], f"ZIP-215: {one['what']}")
        same(is_registrable(signed[0]), one["registrable"] == "sound", f"registrable: {one['what']}")


def transactions(file):
    chain = unhex(file, "chain")
    for one in file["instructions"]:
        both_ways(formats.STEP, one["step"], unhex(one), f"step {one['step']['type']}")
    same({one["step"]["type"] for one in file["instructions"]}, set(formats.INSTRUCTION.structs), "instructions")
    for one in file["transactions"]:
        name, body = one["name"], unhex(one, "body_bytes")
        both_ways(formats.BODY, one["body"], body, f"body: {name}")
        same(rules.signed_bytes("Transaction", chain, body).hex(), one["signed_bytes"], f"signed bytes: {name}")
        witnesses = [
            {**witness, "key": None if witness["key"] == one["body"]["account"] else witness["key"]}
            for witness in one["witnesses"]
        ]
        both_ways(formats.TRANSACTION, {"body": one["body"], "witnesses": witnesses}, unhex(one), name)
        same(blake3(unhex(one)).hex(), one["id"], f"id: {name}")
        same(rules.check_transaction(unhex(one), chain)["body"], one["body"], f"verified: {name}")
    for one in file["refused"]:
        same(refused(lambda: rules.check_transaction(unhex(one), chain)), True, f"refused: {one['name']}")
    for one in file["assets"]:
        symbol = formats.Text(16).write(one["symbol"])
        same(rules.tagged("Asset", unhex(one, "issuer") + symbol).hex(), one["id"], "id of an asset")


def receipts(file):
    same({one["error"]: one["code"] for one in file["errors"]}, formats.ERROR.codes, "errors")
    for one in file["events"]:
        both_ways(formats.EVENT, one["event"], unhex(one), f"event {one['event']['type']}")
    same({one["event"]["type"] for one in file["events"]}, set(formats.EVENT.structs), "events")
    for one in file["receipts"]:
        both_ways(formats.RECEIPT, one["fields"], unhex(one), "receipt")
        same(rules.tagged("Receipt", unhex(one)).hex(), one["hash"], "hash of a receipt")
    hashes = [unhex(one, "hash") for one in file["receipts"]]
    same(rules.list_root(hashes).hex(), file["receipts_root"], "receipts root")
    same(rules.list_root([]).hex(), file["empty_root"], "root of no receipts")


def blocks(file):
    chain, parent = unhex(file, "chain"), None
    for one in file["blocks"]:
        header, result = one["header"], one["result"]
        both_ways(formats.HEADER, header["fields"], unhex(header), "header")
        same(rules.tagged("Header", unhex(header)).hex(), header["hash"], "hash of a header")
        both_ways(formats.RESULT, result["fields"], unhex(result), "result")
        same(rules.tagged("Result", unhex(result)).hex(), result["hash"], "hash of a result")
        block = decode(formats.BLOCK, unhex(one))
        same(formats.BLOCK.write(block).hex(), one["bytes"], "block, encoded")
        same(block["header"], header["fields"], "header of a block")
        for data in block["transactions"]:
            same(refused(lambda: rules.check_transaction(bytes.fromhex(data), chain)), False, "a block's transaction")
        ids = [blake3(bytes.fromhex(data)) for data in block["transactions"]]
        same([found.hex() for found in ids], one["transactions"], "ids of a block's transactions")
        same(len(ids), header["fields"]["transaction_count"], "count of transactions")
        same(rules.list_root(ids).hex(), header["fields"]["transactions_root"], "transactions root")
        if parent:
            same(header["fields"]["parent"], parent["header"]["hash"], "parent")
            same(header["fields"]["parent_result"], parent["result"]["hash"], "result of the parent")
        else:
            same(header["fields"]["parent"], file["chain"], "parent of the first block")
        parent = one


def certificates(file):
    chain = unhex(file, "chain")
    sets = {one["n"]: one["fields"] for one in file["sets"]}
    for one in file["sets"]:
        both_ways(formats.VALIDATOR_SET, one["fields"], unhex(one), "validator set")
        same(rules.tagged("ValidatorSet", unhex(one)).hex(), one["hash"], "hash of a validator set")
        same((len(one["fields"]), *rules.quorum(one["n"])), (one["n"], one["f"], one["q"]), "n, f, q")
    for one in file["commits"]:
        name, fields = f"commit certificate: {one['name']}", one["fields"]
        both_ways(formats.COMMIT, fields, unhex(one), name)
        same(rules.signed_bytes("Commit", chain, rules.commit_vote(fields)).hex(), one["signed_bytes"], name)
        same(rules.commit_holds(fields, sets[one["validators"]], chain), one["holds"], name)
    for one in file["prepares"]:
        name, fields = f"prepared certificate: {one['name']}", one["fields"]
        both_ways(formats.PREPARED, fields, unhex(one), name)
        vote = formats.PREPARE_VOTE.write(fields["vote"])
        same(rules.signed_bytes("Prepare", chain, vote).hex(), one["signed_bytes"], name)
        holds = rules.certificate_holds("Prepare", vote, fields["signatures"], sets[one["validators"]], chain)
        same(holds, one["holds"], name)
    for one in file["headers"]:
        name, fields = f"certified header: {one['name']}", one["fields"]
        both_ways(formats.CERTIFIED_HEADER, fields, unhex(one), name)
        same(rules.certified_header_holds(fields, one["epoch"], sets[one["validators"]], chain), one["holds"], name)
    for one in file["cards"]:
        both_ways(formats.CARD, one["fields"], unhex(one), f"card: {one['name']}")
        same(rules.card_holds(one["fields"]), one["holds"], f"card: {one['name']}")
    change = file["set_change"]
    message = rules.signed_bytes("Ready", chain, formats.READY.write(change["ready"]))
    ready = {"ready": change["ready"], "signature": change["signature"]}
    both_ways(formats.SET_CHANGE, {"set": change["set"], "ready": [ready]}, unhex(change), "set change")
    same(message.hex(), change["signed_bytes"], "signed bytes of a ready")
    same(verify_strict(unhex(change, "consensus"), message, unhex(change, "signature")), True, "ready")


def state(file):
    for one in file["kinds"]:
        name, key, value = one["key"]["type"], unhex(one, "key_bytes"), unhex(one, "value_bytes")
        both_ways(formats.STATE_KEY, one["key"], key, f"key of {name}")
        both_ways(formats.STATE_VALUE, one["value"], value, f"value of {name}")
        hashes = tuple(found.hex() for found in rules.state_pair(key, value))
        same(hashes, (one["key_hash"], one["value_hash"]), f"hashes of {name}")
    kinds = [one["key"]["type"] for one in file["kinds"]]
    same(kinds, [one["value"]["type"] for one in file["kinds"]], "kinds of keys and values")
    same((kinds, set(kinds)), (list(formats.STATE_KEY.structs), set(formats.STATE_VALUE.structs)), "kinds")
    pairs = []
    for key, value in file["entries"]:
        key, value = bytes.fromhex(key), bytes.fromhex(value)
        found = decode(formats.STATE_KEY, key), decode(formats.STATE_VALUE, value)
        same(found[0]["type"], found[1]["type"], "kind of an entry")
        pairs.append(rules.state_pair(key, value))
    for one in file["roots"]:
        same(rules.state_root(sorted(pairs[:one["entries"]])).hex(), one["root"], f"root of {one['entries']} entries")


def state_proof(one):
    both_ways(formats.STATE_PROOF, one["fields"], unhex(one), f"state proof: {one['name']}")
    try:
        shown = rules.state_proof_shows(one["fields"], unhex(one, "root"), rules.tagged("StateKey", unhex(one, "key")))
        same((True, shown and shown.hex()), (one["holds"], one["value_hash"]), f"state proof: {one['name']}")
    except Refused:
        same(False, one["holds"], f"state proof: {one['name']}")


def proofs(file):
    entries = load("state")["entries"]
    values = {key: rules.state_pair(bytes.fromhex(key), bytes.fromhex(value))[1].hex() for key, value in entries[::75]}
    for one in file["state"]["proofs"]:
        state_proof(one)
        if one["holds"] and one["key"] in values:
            same(one["value_hash"], values[one["key"]], "what a state proof shows")
    same(file["state"]["root"], load("state")["roots"][-1]["root"], "root of the state that is proven")
    state_proof(file["state"]["empty"]["proof"])
    same(file["state"]["empty"]["root"], rules.EMPTY.hex(), "root of no state")
    for one in file["lists"]:
        both_ways(formats.LIST_PROOF, one["fields"], unhex(one), f"list proof: {one['name']}")
        same(rules.list_root([bytes.fromhex(item) for item in one["items"]]).hex(), one["root"], "root of a list")
        holds = rules.list_proof_holds(one["fields"], unhex(one, "root"), unhex(one, "item"))
        same(holds, one["holds"], f"list proof: {one['name']}")


def genesis(file):
    document = file["document"]
    unsaid = {"name": None, "organisation": None, "roles": ["member"], "keys": [], "threshold": 1}
    accounts = [{**unsaid, **account} for account in document["accounts"]]
    data = formats.GENESIS.write({**document, "accounts": accounts})
    both_ways(formats.GENESIS, {**document, "accounts": accounts}, data, "genesis document")
    same(rules.tagged("Genesis", data).hex(), file["chain"], "chain id")
    for card in document["members"]:
        same(rules.card_holds(card), True, "card of a member")
    entries = rules.genesis_entries(document, accounts)
    pairs = [rules.state_pair(formats.STATE_KEY.write(k), formats.STATE_VALUE.write(v)) for k, v in entries]
    result = file["result"]["fields"]
    same(rules.state_root(sorted(pairs)).hex(), result["state_root"], "state root of genesis")
    same(rules.list_root([]).hex(), result["receipts_root"], "receipts root of genesis")
    validators = formats.VALIDATOR_SET.write([card["validator"] for card in document["members"]])
    same(rules.tagged("ValidatorSet", validators).hex(), result["next_set_hash"], "first validators")
    same(rules.tagged("Result", formats.RESULT.write(result)).hex(), file["result"]["hash"], "result of genesis")


def messages(file):
    chain, validators = unhex(file, "chain"), file["validators"]

    def is_signed(domain, kind, payload, signer, signature, what):
        message = rules.signed_bytes(domain, chain, kind.write(payload))
        key = bytes.fromhex(validators[signer]["consensus"])
        same(verify_strict(key, message, bytes.fromhex(signature)), True, f"signature: {what}")

    kinds = {
        "prepare": ("Prepare", formats.PREPARE_VOTE), "commit": ("Commit", formats.COMMIT_VOTE),
        "ask": ("Ask", formats.ASK), "status": ("Status", formats.STATUS_OF_REPLICA),
        "suspect": ("Suspect", formats.SUSPECT), "recall": ("Recall", formats.RECALL),
        "newest": ("Newest", formats.NEWEST), "view_change": ("ViewChange", formats.CLAIMS),
        "proposal": ("Proposal", formats.CLAIM),
    }

    def check_signed(name, one):
        is_signed(*kinds[name], one["payload"], one["signer"], one["signature"], name)

    for one in file["messages"]:
        found, name = decode(formats.MESSAGE, unhex(one)), one["name"]
        same(found["type"], name, "kind of a message")
        same(formats.MESSAGE.write(found).hex(), one["bytes"], f"{name}, encoded")
        if name == "proposal":
            header = found["block"]["header"]
            claim = {
                "epoch": found["epoch"], "view": found["view"], "height": header["height"],
                "block": rules.tagged("Header", formats.HEADER.write(header)).hex(),
            }
            is_signed("Proposal", formats.CLAIM, claim, one["signer"], found["signature"], name)
        elif name == "new_view":
            is_signed("NewView", formats.NEW_VIEW, found["contents"], one["signer"], found["signature"], name)
            for claims in found["contents"]["view_changes"]:
                check_signed("view_change", claims)
            same(rules.commit_holds(found["contents"]["key"]["certificate"], validators, chain), True, name)
        elif name == "certificate":
            same(rules.commit_holds(found, validators, chain), True, name)
        elif name == "view_change":
            same(found["claims"]["signer"], one["signer"], f"signer: {name}")
            check_signed(name, found["claims"])
            prepared = found["prepared"]
            vote = formats.PREPARE_VOTE.write(prepared["vote"])
            same(rules.commit_holds(found["committed"], validators, chain), True, name)
            holds = rules.certificate_holds("Prepare", vote, prepared["signatures"], validators, chain)
            same(holds, True, name)
        else:
            same(found["signer"], one["signer"], f"signer: {name}")
            check_signed(name, found)
        if name == "newest":
            for kind, part in found["payload"]["seen"].items():
                if part is not None:
                    check_signed(kind, part)
    same({one["name"] for one in file["messages"]}, set(formats.MESSAGE.structs), "messages")


def load(name):
    path = ELSEWHERE.get(name, FOLDER / f"{name}.json")
    return json.loads(path.read_text())


GROUPS = (own_parts, keys, taming, transactions, receipts, blocks, certificates, state, proofs, genesis, messages, stored, records)
ELSEWHERE = {"taming": FOLDER.parents[1] / "chain/tests/signatures/taming.json"}


def main():
    for group in GROUPS:
        name, before, began = group.__name__, len(differences), time.monotonic()
        compared.count = 0
        try:
            group(*([] if group is own_parts else [load(name)]))
        except (Refused, KeyError, ValueError, TypeError, OSError) as error:
            differences.append(f"{name}: {type(error).__name__}: {error}")
        bad = len(differences) - before
        print(f"{name:<13}{compared.count:>6} checks {bad:>4} differ {time.monotonic() - began:>6.1f} s")
    for difference in differences:
        print(difference[:400], file=sys.stderr)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
