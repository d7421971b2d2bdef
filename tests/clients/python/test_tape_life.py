"""The life of a tape and the operations around it as boto3 meets them, on a clock that runs fast:
an hour passes in 36 milliseconds. The emulator is these tests' own."""

import secrets

import pytest

from harness import aws
from harness.eventually import wait_until
from harness.judge import assert_common, assert_refused, refusal
from harness.process import emulator
from harness.seeds import CUSTOM_POOL, GATEWAY, GIB, NO_GATEWAY, tape_arn

LOCK = {"RetentionLockType": "GOVERNANCE", "RetentionLockTimeInDays": 36500}


@pytest.fixture(scope="module")
def running():
    with emulator("--time-scale=100000") as running:
        yield running


@pytest.fixture
def client(running):
    return aws.client(running.emulator)


@pytest.fixture
def tape(client):
    """The ARN of a new tape in the library."""
    barcode = "PY" + secrets.token_hex(6).upper()
    created = client.create_tape_with_barcode(GatewayARN=GATEWAY, TapeSizeInBytes=100 * GIB, TapeBarcode=barcode)
    return created["TapeARN"]


class Answer:
    """Equal to an answer that names this tape and nothing else, whatever its metadata."""

    def __init__(self, arn):
        self._arn = arn

    def __eq__(self, other):
        return {name: other[name] for name in other if name != "ResponseMetadata"} == {"TapeARN": self._arn}


def in_archive(client, arn):
    return client.describe_tape_archives(TapeARNs=[arn])["TapeArchives"]


def test_an_archived_tape_is_retrieved_on_its_own(client):
    arn = tape_arn("TST000200")
    assert client.retrieve_tape_archive(TapeARN=arn, GatewayARN=GATEWAY) == Answer(arn)
    wait_until(lambda: in_archive(client, arn)[0]["TapeStatus"] == "RETRIEVED")
    [tape] = client.describe_tapes(GatewayARN=GATEWAY, TapeARNs=[arn])["Tapes"]
    assert tape["TapeStatus"] == "RETRIEVED"
    assert in_archive(client, arn)[0]["RetrievedTo"] == GATEWAY
    again = refusal(client.retrieve_tape_archive, TapeARN=arn, GatewayARN=GATEWAY)
    assert_refused(again, "InvalidParameters")


def test_a_deleted_tape_is_gone_after_a_while(client, tape):
    assert client.delete_tape(GatewayARN=GATEWAY, TapeARN=tape, BypassGovernanceRetention=True) == Answer(tape)
    wait_until(lambda: client.list_tapes(TapeARNs=[tape])["TapeInfos"] == [])
    assert_refused(refusal(client.delete_tape, GatewayARN=GATEWAY, TapeARN=tape), "TapeCartridgeNotFound")


def test_a_tape_deleted_from_the_archive_is_gone_after_a_while(client):
    arn = tape_arn("TST000202")
    assert client.delete_tape_archive(TapeARN=arn) == Answer(arn)
    wait_until(lambda: in_archive(client, arn) == [])
    assert_refused(refusal(client.delete_tape_archive, TapeARN=arn), "TapeCartridgeNotFound")


def test_the_seeded_pool_locks_its_archived_tapes(client):
    arn = tape_arn("TST000207")
    assert in_archive(client, arn)[0]["PoolId"] == CUSTOM_POOL
    [pool] = [pool for pool in pools(client) if pool["PoolARN"].endswith(CUSTOM_POOL)]
    assert (pool["RetentionLockType"], pool["RetentionLockTimeInDays"]) == ("GOVERNANCE", 3650)
    assert_refused(refusal(client.delete_tape_archive, TapeARN=arn), "InvalidParameters")
    assert client.delete_tape_archive(TapeARN=arn, BypassGovernanceRetention=True) == Answer(arn)


@pytest.mark.parametrize("gateway", [NO_GATEWAY, GATEWAY.replace("us-east-1", "eu-west-1")])
def test_a_gateway_that_is_not_here_is_not_found(client, tape, gateway):
    assert_refused(refusal(client.delete_tape, GatewayARN=gateway, TapeARN=tape), "GatewayNotFound")
    assert_refused(refusal(client.retrieve_tape_archive, GatewayARN=gateway, TapeARN=tape), "GatewayNotFound")


def test_a_tape_that_is_not_here_is_not_found(client):
    arn = tape_arn("NOSUCHTAPE")
    assert_refused(refusal(client.delete_tape, GatewayARN=GATEWAY, TapeARN=arn), "TapeCartridgeNotFound")
    assert_refused(refusal(client.delete_tape_archive, TapeARN=arn), "TapeCartridgeNotFound")
    assert_refused(refusal(client.retrieve_tape_archive, GatewayARN=GATEWAY, TapeARN=arn), "TapeCartridgeNotFound")
    assert_refused(refusal(client.assign_tape_pool, TapeARN=arn, PoolId="GLACIER"), "TapeCartridgeNotFound")


# --- Pools ----------------------------------------------------------------------------


def pools(client, **members):
    return client.get_paginator("list_tape_pools").paginate(**members).build_full_result()["PoolInfos"]


def create_pool(client, **changes):
    members = {"PoolName": "Mine", "StorageClass": "DEEP_ARCHIVE"} | changes
    return client.create_tape_pool(**members)["PoolARN"]


@pytest.mark.parametrize(
    ("lock", "shown"),
    [
        ({}, {"RetentionLockType": "NONE", "RetentionLockTimeInDays": 0}),
        ({"RetentionLockType": "NONE", "RetentionLockTimeInDays": 0}, None),
        (LOCK, None),
        ({"RetentionLockType": "COMPLIANCE", "RetentionLockTimeInDays": 1}, None),
    ],
)
def test_a_pool_reads_back(client, lock, shown):
    arn = create_pool(client, Tags=[{"Key": "team", "Value": "x"}], **lock)
    expected = {"PoolARN": arn, "PoolName": "Mine", "StorageClass": "DEEP_ARCHIVE", "PoolStatus": "ACTIVE"}
    assert pools(client, PoolARNs=[arn]) == [expected | (shown or lock)]


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_pools_are_paged(client, size):
    made = {create_pool(client) for _ in range(3)}
    pages = list(client.get_paginator("list_tape_pools").paginate(PaginationConfig={"PageSize": size}))
    arns = [pool["PoolARN"] for page in pages for pool in page["PoolInfos"]]
    assert arns == sorted(set(arns)) and made < set(arns)
    assert all(len(page["PoolInfos"]) == size for page in pages[:-1])
    if size == 1:
        marker = refusal(client.list_tape_pools, PoolARNs=arns[:1], Marker=pages[0]["Marker"])
        assert_refused(marker, "InvalidParameters")


def test_a_pool_with_a_tape_stays_and_an_empty_one_goes(client, tape):
    arn = create_pool(client)
    assert client.assign_tape_pool(TapeARN=tape, PoolId=arn.rsplit("/")[-1]) == Answer(tape)
    [found] = client.describe_tapes(GatewayARN=GATEWAY, TapeARNs=[tape])["Tapes"]
    assert found["PoolId"] == arn.rsplit("/")[-1]
    assert_refused(refusal(client.delete_tape_pool, PoolARN=arn), "InvalidParameters")
    client.assign_tape_pool(TapeARN=tape, PoolId="GLACIER")
    assert client.delete_tape_pool(PoolARN=arn)["PoolARN"] == arn
    assert pools(client, PoolARNs=[arn]) == []
    assert_refused(refusal(client.delete_tape_pool, PoolARN=arn), "InvalidParameters")
    gone = refusal(client.assign_tape_pool, TapeARN=tape, PoolId=arn.rsplit("/")[-1])
    assert_refused(gone, "InvalidParameters")


@pytest.mark.parametrize(
    "changes",
    [
        {"RetentionLockType": "GOVERNANCE"},
        {"RetentionLockType": "COMPLIANCE", "RetentionLockTimeInDays": 0},
        {"RetentionLockTimeInDays": 7},
        {"Tags": [{"Key": "aws:x", "Value": ""}]},
    ],
)
def test_a_pool_that_contradicts_itself_is_refused(client, changes):
    assert_refused(refusal(create_pool, client, **changes), "InvalidParameters")


@pytest.mark.parametrize(
    "changes",
    [
        {"PoolName": "a/b"},
        {"PoolName": ""},
        {"StorageClass": "STANDARD"},
        {"RetentionLockType": "LEGAL"},
        {"RetentionLockTimeInDays": 36501},
    ],
)
def test_the_constraints_of_the_model_are_checked(running, changes):
    client = aws.client(running.emulator, parameter_validation=False)
    assert_common(refusal(create_pool, client, **changes), "ValidationException")


# --- Gateways and tags ----------------------------------------------------------------


def tags_of(client, arn, **members):
    return client.get_paginator("list_tags_for_resource").paginate(ResourceARN=arn, **members).build_full_result()


def tag(key, value="x"):
    return {"Key": key, "Value": value}


def test_the_gateway_is_listed_and_described(client):
    [gateway] = (
        client.get_paginator("list_gateways").paginate(PaginationConfig={"PageSize": 1}).build_full_result()["Gateways"]
    )
    expected = {"GatewayId": "sgw-12A3456B", "GatewayARN": GATEWAY, "GatewayType": "VTL", "GatewayName": "sgw-12A3456B"}
    assert gateway == expected | {"GatewayOperationalState": "ACTIVE"}
    described = client.describe_gateway_information(GatewayARN=GATEWAY)
    assert expected.items() <= described.items()
    assert described["GatewayState"] == "RUNNING"
    assert_refused(refusal(client.describe_gateway_information, GatewayARN=NO_GATEWAY), "GatewayNotFound")


def test_tags_are_added_replaced_and_paged(client, tape):
    pool = create_pool(client)
    for arn in (tape, pool, GATEWAY):
        added = client.add_tags_to_resource(ResourceARN=arn, Tags=[tag("b"), tag("a"), tag("c")])
        assert added["ResourceARN"] == arn
        client.add_tags_to_resource(ResourceARN=arn, Tags=[tag("b", "new")])
        expected = [tag("a"), tag("b", "new"), tag("c")]
        for size in (1, 2, 3, 1000):
            listed = tags_of(client, arn, PaginationConfig={"PageSize": size})
            assert (listed["Tags"], listed["ResourceARN"]) == (expected, arn)
    assert client.describe_gateway_information(GatewayARN=GATEWAY)["Tags"] == expected
    client.add_tags_to_resource(ResourceARN=GATEWAY, Tags=[tag(f"k{n:02}") for n in range(12)])
    # The rest is in ListTagsForResource alone.
    shown = [*expected, *(tag(f"k{n:02}") for n in range(7))]
    assert client.describe_gateway_information(GatewayARN=GATEWAY)["Tags"] == shown
    assert len(tags_of(client, GATEWAY)["Tags"]) == 15


def test_a_resource_has_at_most_50_tags(client, tape):
    client.add_tags_to_resource(ResourceARN=tape, Tags=[tag(f"k{n:02}") for n in range(50)])
    assert_refused(refusal(client.add_tags_to_resource, ResourceARN=tape, Tags=[tag("more")]), "InvalidParameters")
    client.add_tags_to_resource(ResourceARN=tape, Tags=[tag("k00", "new")])
    assert tags_of(client, tape)["Tags"][0] == tag("k00", "new")
    assert len(tags_of(client, tape)["Tags"]) == 50
    assert_refused(refusal(client.add_tags_to_resource, ResourceARN=tape, Tags=[tag("aws:x")]), "InvalidParameters")


def test_tags_of_what_is_not_there_are_refused(client, tape):
    client.delete_tape(GatewayARN=GATEWAY, TapeARN=tape)
    wait_until(lambda: client.list_tapes(TapeARNs=[tape])["TapeInfos"] == [])
    cases = {tape: "TapeCartridgeNotFound", NO_GATEWAY: "GatewayNotFound", GATEWAY[:-8] + "x" * 8: "GatewayNotFound"}
    cases |= {"arn:aws:storagegateway:us-east-1:123456789012:tapepool/pool-00000000": "InvalidParameters"}
    for arn, code in cases.items():
        assert_refused(refusal(client.list_tags_for_resource, ResourceARN=arn), code)
        assert_refused(refusal(client.add_tags_to_resource, ResourceARN=arn, Tags=[tag("a")]), code)


def test_creation_keeps_tags_but_not_beside_a_barcode(client):
    tags = [tag("team")]
    members = {"GatewayARN": GATEWAY, "TapeSizeInBytes": 100 * GIB, "Tags": tags}
    made = client.create_tapes(
        ClientToken=secrets.token_hex(16), NumTapesToCreate=2, TapeBarcodePrefix="TAG", **members
    )["TapeARNs"]
    assert [tags_of(client, arn)["Tags"] for arn in made] == [tags, tags]
    assert tags_of(client, create_pool(client, Tags=tags))["Tags"] == tags
    barcode = "PY" + secrets.token_hex(6).upper()
    arn = client.create_tape_with_barcode(TapeBarcode=barcode, **members)["TapeARN"]
    assert tags_of(client, arn)["Tags"] == []
