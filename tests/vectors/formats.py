"""Every structure of docs/LEDGER.md, "Formats", as it is read and written."""

from codec import Bits, Bool, Bytes, Choice, Fixed, List, Number, Option, Struct, Text, Tuple, Variant

U8, U16, U32, U64, AMOUNT = Number(1), Number(2), Number(4), Number(8), Number(16, text=True)
HASH, SIGNATURE, BOOL = Fixed(32), Fixed(64), Bool()
NAME, DATA_KEY, DATA_VALUE, METADATA = Text(64), Bytes(128), Bytes(16 * 1024), Bytes(1024)

STATUS = Choice({0: "active", 1: "frozen", 2: "closed"})
ROLES = Bits(2, ("admin", "issuer", "member", "auditor"))
RULES = Bits(1, ("mint", "burn", "freeze"), flags=True)
ACCOUNT_KEYS = List(Struct(key=HASH, weight=U16), 0, 16)
QUOTA = Struct(spent=U64, at=U64, state_bytes=U64)

INSTRUCTION = Variant(
    register_organisation=(8, Struct(organisation=HASH, name=NAME)),
    set_organisation_status=(9, Struct(organisation=HASH, status=STATUS)),
    register_account=(16, Struct(account=HASH, organisation=Option(HASH), roles=ROLES)),
    set_account_keys=(17, Struct(account=HASH, keys=ACCOUNT_KEYS, threshold=U16)),
    set_account_roles=(18, Struct(account=HASH, roles=ROLES)),
    set_account_status=(19, Struct(account=HASH, status=STATUS)),
    transfer=(32, Struct(to=HASH, asset=HASH, amount=AMOUNT, memo=Bytes(256))),
    create_asset=(33, Struct(symbol=Text(16), decimals=U8, rules=RULES, supply_max=Option(AMOUNT), supply=AMOUNT)),
    mint=(34, Struct(asset=HASH, to=HASH, amount=AMOUNT)),
    burn=(35, Struct(asset=HASH, amount=AMOUNT)),
    freeze_holder=(36, Struct(asset=HASH, holder=HASH, frozen=BOOL)),
    put_data=(48, Struct(namespace=HASH, key=DATA_KEY, value=DATA_VALUE)),
    delete_data=(49, Struct(namespace=HASH, key=DATA_KEY)),
    transfer_data=(50, Struct(namespace=HASH, key=DATA_KEY, to=HASH)),
    anchor_document=(51, Struct(digest=HASH, size=U64, metadata=METADATA)),
    require_balance=(64, Struct(account=HASH, asset=HASH, at_least=AMOUNT)),
    require_data=(65, Struct(namespace=HASH, key=DATA_KEY, digest=Option(HASH))),
    require_height_below=(66, Struct(height=U64)),
)


class Step:
    """Who acts, then the instruction. JSON leaves the actor out when it is the transaction's account."""

    def read(self, reader):
        actor = Option(HASH).read(reader)
        instruction = INSTRUCTION.read(reader)
        return instruction if actor is None else {"actor": actor, **instruction}

    def write(self, value):
        instruction = {name: one for name, one in value.items() if name != "actor"}
        return Option(HASH).write(value.get("actor")) + INSTRUCTION.write(instruction)


STEP = Step()
BODY = Struct(
    chain=Fixed(4), account=HASH, nonce=U64, valid_until=U64, sponsor=Option(HASH), instructions=List(STEP, 1, 64)
)
WITNESS = Struct(key=Option(HASH), signature=SIGNATURE)
TRANSACTION = Struct(body=BODY, witnesses=List(WITNESS, 1, 16))
TRANSACTION_BYTES_MAX = 30 * 1024

EVENT = Variant(
    organisation_registered=(8, Struct(organisation=HASH)),
    organisation_status_set=(9, Struct(organisation=HASH, status=STATUS)),
    account_registered=(16, Struct(account=HASH, organisation=Option(HASH), roles=ROLES)),
    account_keys_set=(17, Struct(account=HASH)),
    account_roles_set=(18, Struct(account=HASH, roles=ROLES)),
    account_status_set=(19, Struct(account=HASH, status=STATUS)),
    transferred=(32, Struct(**{"from": HASH}, to=HASH, asset=HASH, amount=AMOUNT)),
    asset_created=(33, Struct(asset=HASH, issuer=HASH)),
    minted=(34, Struct(asset=HASH, to=HASH, amount=AMOUNT)),
    burned=(35, Struct(asset=HASH, **{"from": HASH}, amount=AMOUNT)),
    holder_frozen=(36, Struct(asset=HASH, holder=HASH, frozen=BOOL)),
    data_put=(48, Struct(namespace=HASH, key=DATA_KEY)),
    data_deleted=(49, Struct(namespace=HASH, key=DATA_KEY)),
    data_transferred=(50, Struct(namespace=HASH, key=DATA_KEY, **{"from": HASH}, to=HASH)),
    document_anchored=(51, Struct(account=HASH, digest=HASH)),
)
ERRORS = (
    "insufficient_balance zero_amount balance_overflow not_data_owner unknown_receiver unauthorised not_permitted "
    "unknown_account account_exists account_closed unknown_organisation organisation_exists organisation_closed "
    "weak_key bad_keys holds_assets unknown_asset asset_exists too_many_decimals supply_exceeded against_rules "
    "holder_frozen unknown_data document_exists state_quota condition_balance condition_data condition_height"
).split()
ERROR = Choice(dict(enumerate(ERRORS, 1)))
ENDING = Variant(success=(0, Struct()), failed=(1, Struct(instruction=U8, error=ERROR)))
RECEIPT = Struct(transaction=HASH, status=ENDING, events=List(EVENT, 0, 256))

HEADER = Struct(
    version=U16, height=U64, epoch=U64, parent=HASH, timestamp_ms=U64, transactions_root=HASH, transaction_count=U32,
    parent_result=HASH, proposer=U16,
)
RESULT = Struct(state_root=HASH, receipts_root=HASH, next_set_hash=HASH)
BLOCK = Struct(header=HEADER, transactions=List(Bytes(TRANSACTION_BYTES_MAX), 0, 20_000))

VALIDATOR = Struct(
    name=NAME, organisation=HASH, identity=HASH, consensus=HASH, network=HASH, recovering=BOOL
)
VALIDATOR_SET = List(VALIDATOR, 1, 128)
ADDRESS = Text(256)
CARD = Struct(
    validator=VALIDATOR, address=ADDRESS, identity_signature=SIGNATURE, consensus_signature=SIGNATURE,
    network_signature=SIGNATURE,
)
READY = Struct(seat=HASH, height=U64, result=HASH)
SET_CHANGE = Struct(set=VALIDATOR_SET, ready=List(Struct(ready=READY, signature=SIGNATURE), 0, 128))

PREPARE_VOTE = Struct(epoch=U64, view=U64, height=U64, block=HASH)
COMMIT_VOTE = Struct(epoch=U64, view=U64, height=U64, block=HASH, result=HASH)
SIGNATURES = List(Struct(validator=U16, signature=SIGNATURE), 1, 128)
PREPARED = Struct(vote=PREPARE_VOTE, signatures=SIGNATURES)
COMMIT = Struct(epoch=U64, view=U64, height=U64, block_hash=HASH, result_hash=HASH, signatures=SIGNATURES)
CERTIFIED_HEADER = Struct(header=HEADER, result=RESULT, path=List(HEADER, 0, 256), commit=COMMIT)

PARAMETERS = Struct(
    open=BOOL, block_transactions_max=U32, block_bytes_max=U32, max_ahead_ms=U32, timeout_base_ms=U32,
    timeout_max_ms=U32, status_ms=U32, max_idle_ms=U32, batch_wait_ms=U32, window=U16, block_work_max=U64,
    account_work_max=U64, account_work_per_second=U64, account_state_bytes_max=U64, organisation_work_max=U64,
    organisation_work_per_second=U64, organisation_state_bytes_max=U64,
)
STATE_KEY = Variant(
    parameters=(1, Struct()),
    validators=(2, Struct()),
    seated=(3, Struct(key=HASH)),
    organisation=(16, Struct(organisation=HASH)),
    account=(17, Struct(account=HASH)),
    balance=(32, Struct(account=HASH, asset=HASH)),
    asset=(33, Struct(asset=HASH)),
    data=(48, Struct(namespace=HASH, key=DATA_KEY)),
    document=(49, Struct(account=HASH, digest=HASH)),
)
STATE_VALUE = Variant(
    parameters=(1, Struct(parameters=PARAMETERS)),
    validators=(2, Struct(epoch=U64, set=VALIDATOR_SET)),
    seated=(3, Struct(epoch=U64)),
    organisation=(16, Struct(name=NAME, status=STATUS, quota=QUOTA)),
    account=(17, Struct(
        nonce=U64, balance=AMOUNT, organisation=Option(HASH), keys=ACCOUNT_KEYS, threshold=U16, roles=ROLES,
        status=STATUS, holdings=U32, quota=QUOTA,
    )),
    balance=(32, Struct(amount=AMOUNT, frozen=BOOL)),
    asset=(33, Struct(
        issuer=Option(HASH), symbol=Text(16), decimals=U8, rules=RULES, supply_max=Option(AMOUNT), supply=AMOUNT
    )),
    data=(48, Struct(owner=HASH, payer=HASH, value=DATA_VALUE, height=U64)),
    document=(49, Struct(size=U64, metadata=METADATA, height=U64, timestamp_ms=U64)),
)

STATE_PROOF = Struct(levels=List(Tuple(HASH, HASH, HASH, HASH), 0, 64), leaf=List(Tuple(HASH, HASH), 0, 32))
LIST_PROOF = Struct(index=U32, count=U32, siblings=List(HASH, 0, 32))

GENESIS_ACCOUNT = Struct(
    name=Option(NAME), address=HASH, balance=AMOUNT, organisation=Option(HASH), roles=ROLES, keys=ACCOUNT_KEYS,
    threshold=U16,
)
GENESIS = Struct(
    version=U32, name=NAME, timestamp_ms=U64, members=List(CARD, 0, 128), accounts=List(GENESIS_ACCOUNT, 0, 50_000),
    parameters=PARAMETERS,
)

CLAIM = PREPARE_VOTE
ASK = Struct(epoch=U64, target=U64, counter=Struct(start=U64, sequence=U64))
SUSPECT = Struct(epoch=U64, view=U64, transaction=HASH)
STATUS_OF_REPLICA = Struct(epoch=U64, view=U64, tip=U64, tip_block=HASH, prepared=U64)
RECALL = Struct(epoch=U64, start=U64, clock=U64)
CLAIMS = Struct(
    epoch=U64, target=U64, committed=Struct(view=Option(U64), height=U64, block=HASH, result=HASH),
    prepared=Option(Struct(view=U64, height=U64, block=HASH)),
)


def signed(payload):
    return Struct(payload=payload, signer=U16, signature=SIGNATURE)


NEW_VIEW = Struct(
    epoch=U64, view=U64, view_changes=List(signed(CLAIMS), 1, 128),
    key=Variant(
        epoch_start=(0, Struct()), prepared=(1, Struct(certificate=PREPARED)), committed=(2, Struct(certificate=COMMIT))
    ),
    committed=Option(COMMIT),
)
SIGNED_NEW_VIEW = Struct(contents=NEW_VIEW, signature=SIGNATURE)
NEWEST = Struct(
    asker=U16, recall=RECALL,
    seen=Struct(
        proposal=Option(signed(CLAIM)), prepare=Option(signed(PREPARE_VOTE)), commit=Option(signed(COMMIT_VOTE)),
        view_change=Option(signed(CLAIMS)), new_view=Option(SIGNED_NEW_VIEW),
    ),
)
MESSAGE = Variant(
    proposal=(1, Struct(epoch=U64, view=U64, block=BLOCK, signature=SIGNATURE)),
    prepare=(2, signed(PREPARE_VOTE)),
    commit=(3, signed(COMMIT_VOTE)),
    ask=(4, signed(ASK)),
    view_change=(5, Struct(claims=signed(CLAIMS), committed=Option(COMMIT), prepared=Option(PREPARED))),
    new_view=(6, SIGNED_NEW_VIEW),
    status=(7, signed(STATUS_OF_REPLICA)),
    certificate=(8, COMMIT),
    suspect=(9, signed(SUSPECT)),
    recall=(10, signed(RECALL)),
    newest=(11, signed(NEWEST)),
)

# What a node stores: docs/LEDGER.md, "Stored".
COUNT_MAX = 2**32 - 1
POSITION = Struct(segment=U64, offset=U64)
COMMIT_RECORD = Struct(
    height=U64, block=HASH, body=POSITION, certificate=COMMIT, path=List(HEADER, 0, 256), result=RESULT,
    receipts=List(RECEIPT, 0, COUNT_MAX), changes=List(Tuple(STATE_KEY, Option(STATE_VALUE)), 0, COUNT_MAX),
)
BLOCK_PLACE = Struct(hash=HASH, body=POSITION, commit=POSITION)
EPOCH_START = Struct(first=U64, validators=VALIDATOR_SET)
APPLIED = Struct(height=U64, scan_from=POSITION, index=Choice({0: "none", 1: "tx", 2: "full"}))
ARCHIVED_BLOCK = Struct(block=BLOCK, result=RESULT, certificate=COMMIT, path=List(HEADER, 0, 256))

VIEW_CHANGE_RECORD = Struct(claims=CLAIMS, committed=Option(COMMIT), prepared=Option(PREPARED))
VOTES_OF_EPOCH = Struct(
    epoch=U64, starts=U64, view=U64, new_view=Option(SIGNED_NEW_VIEW),
    prepares=List(Tuple(U64, PREPARE_VOTE), 0, COUNT_MAX), commits=List(Tuple(U64, COMMIT_VOTE), 0, COUNT_MAX),
    highest_prepared=Option(PREPARED), view_change=Option(VIEW_CHANGE_RECORD), lease=Option(U64), lost=BOOL,
)
# The epoch before has none before it.
DURABLE_STATE = Struct(now=VOTES_OF_EPOCH, previous=Option(Struct(now=VOTES_OF_EPOCH, previous=Option(HASH))))
VOTE_RECORD = Variant(
    start=(1, Struct(number=U64)),
    entered=(2, SIGNED_NEW_VIEW),
    prepare=(3, PREPARE_VOTE),
    commit=(4, Struct(vote=COMMIT_VOTE, prepared=PREPARED)),
    view_change=(5, VIEW_CHANGE_RECORD),
    lease=(6, Struct(epoch=U64, view=U64, height=U64)),
    snapshot=(7, Struct(state=DURABLE_STATE)),
    epoch=(8, Struct(epoch=U64)),
    lost=(9, Struct()),
    released=(10, Struct()),
)


def two(kind):
    return Struct(first=signed(kind), second=signed(kind))


EVIDENCE = Variant(
    proposals=(1, two(CLAIM)),
    prepares=(2, two(PREPARE_VOTE)),
    commits=(3, two(COMMIT_VOTE)),
    view_changes=(4, two(CLAIMS)),
    new_views=(5, Struct(primary=U16, first=SIGNED_NEW_VIEW, second=SIGNED_NEW_VIEW)),
)
