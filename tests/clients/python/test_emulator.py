"""The emulator as boto3 meets it, by boto3's public interface alone.

Needs a running emulator with its default seed: its address in TAPEGATE_EMULATOR_ENDPOINT,
the pair that it was given in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. May be run again
and again against the same one: every name it makes is new.
"""

import os
import re
import secrets
from datetime import UTC, datetime, timedelta

import pytest

from harness import aws
from harness.judge import assert_common, assert_refused, refusal

ACCOUNT = "123456789012"
GATEWAY = f"arn:aws:storagegateway:us-east-1:{ACCOUNT}:gateway/sgw-12A3456B"
CUSTOM_POOL = "pool-12345678"
GIB = 1 << 30
PAGE_SIZES = [7, 100, 249, 250, 1000]
STATUSES = {
    "CREATING",
    "AVAILABLE",
    "IN TRANSIT TO VTS",
    "ARCHIVING",
    "ARCHIVED",
    "RETRIEVING",
    "RETRIEVED",
    "RECOVERING",
    "RECOVERED",
    "IRRECOVERABLE",
    "DELETING",
    "DELETED",
}


def setting(name):
    value = os.environ.get(name)
    if not value:
        pytest.fail(f"{name} is not set: these tests need a running emulator and the pair it was given", pytrace=False)
    return value


def make_client(**changes):
    endpoint = setting("TAPEGATE_EMULATOR_ENDPOINT")
    pair = {"key_id": setting("AWS_ACCESS_KEY_ID"), "secret": setting("AWS_SECRET_ACCESS_KEY")}
    return aws.client(endpoint if "://" in endpoint else f"http://{endpoint}", **pair | changes)


@pytest.fixture
def client():
    return make_client()


# --- Names that nobody used before ----------------------------------------------------


def new_barcode():
    return "PY" + secrets.token_hex(6).upper()


def new_token():
    return secrets.token_hex(16)


def one(**changes):
    members = {"GatewayARN": GATEWAY, "TapeSizeInBytes": 100 * GIB, "TapeBarcode": new_barcode()}
    return {name: value for name, value in (members | changes).items() if value is not None}


def many(**changes):
    members = {
        "GatewayARN": GATEWAY,
        "TapeSizeInBytes": 100 * GIB,
        "ClientToken": new_token(),
        "NumTapesToCreate": 2,
        "TapeBarcodePrefix": "PYT",
    }
    return members | changes


# --- Creating -------------------------------------------------------------------------


@pytest.mark.parametrize("pool", [None, "GLACIER", "DEEP_ARCHIVE", CUSTOM_POOL])
def test_a_tape_with_a_barcode_reads_back(client, pool):
    asked = one(PoolId=pool, Worm=True, KMSEncrypted=True, KMSKey="alias/tapes", Tags=[{"Key": "team", "Value": "x"}])
    arn = client.create_tape_with_barcode(**asked)["TapeARN"]
    assert arn == f"arn:aws:storagegateway:us-east-1:{ACCOUNT}:tape/{asked['TapeBarcode']}"
    [tape] = client.describe_tapes(GatewayARN=GATEWAY, TapeARNs=[arn])["Tapes"]
    created = tape.pop("TapeCreatedDate")
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)
    assert tape == {
        "TapeARN": arn,
        "TapeBarcode": asked["TapeBarcode"],
        "TapeSizeInBytes": 100 * GIB,
        "TapeStatus": "AVAILABLE",
        "TapeUsedInBytes": 0,
        "KMSKey": "alias/tapes",
        "PoolId": pool or "GLACIER",
        "Worm": True,
    }
    [listed] = client.list_tapes(TapeARNs=[arn])["TapeInfos"]
    assert (listed["GatewayARN"], listed["TapeStatus"]) == (GATEWAY, "AVAILABLE")


def test_members_that_were_not_set_are_absent(client):
    arn = client.create_tape_with_barcode(**one())["TapeARN"]
    [tape] = client.describe_tapes(GatewayARN=GATEWAY, TapeARNs=[arn])["Tapes"]
    absent = {"Worm", "KMSKey", "VTLDevice", "Progress", "RetentionStartDate", "PoolEntryDate"}
    assert not absent & set(tape)


@pytest.mark.parametrize("pool", [None, "GLACIER", "DEEP_ARCHIVE", CUSTOM_POOL])
def test_a_repeat_under_the_token_gives_the_same_tapes(client, pool):
    asked = many() | ({"PoolId": pool} if pool else {})
    first = client.create_tapes(**asked)["TapeARNs"]
    assert client.create_tapes(**asked)["TapeARNs"] == first
    assert len(set(first)) == 2
    assert all(re.fullmatch(r"PYT[0-9A-F]{6}", arn.rsplit("/")[1]) for arn in first)
    tapes = client.describe_tapes(GatewayARN=GATEWAY, TapeARNs=first)["Tapes"]
    assert [tape["PoolId"] for tape in tapes] == [pool or "GLACIER"] * 2

    assert_refused(refusal(client.create_tapes, **asked | {"NumTapesToCreate": 3}), "InvalidParameters")


@pytest.mark.parametrize(
    "changes",
    [
        {"TapeSizeInBytes": 99 * GIB},
        {"TapeSizeInBytes": 100 * GIB + 1},
        {"TapeSizeInBytes": 15 * 1024 * GIB + GIB},
        {"KMSKey": "alias/tapes"},
        {"PoolId": "My Pool"},
        {"Tags": [{"Key": "aws:x", "Value": ""}]},
        {"Tags": [{"Key": "a", "Value": ""}, {"Key": "a", "Value": "b"}]},
        {"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(51)]},
    ],
)
def test_what_the_model_cannot_say_is_invalid_parameters(client, changes):
    assert_refused(refusal(client.create_tape_with_barcode, **one(**changes)), "InvalidParameters")
    assert_refused(refusal(client.create_tapes, **many(**changes)), "InvalidParameters")


@pytest.mark.parametrize("barcode", ["TST000001", "TST000012", "TST000250"])
def test_a_barcode_is_taken_for_ever(client, barcode):
    assert_refused(refusal(client.create_tape_with_barcode, **one(TapeBarcode=barcode)), "InvalidParameters")


@pytest.mark.parametrize(
    "gateway",
    [
        f"arn:aws:storagegateway:us-east-1:{ACCOUNT}:gateway/sgw-00000000",
        f"arn:aws:storagegateway:eu-west-1:{ACCOUNT}:gateway/sgw-12A3456B",
        "arn:aws:storagegateway:us-east-1:210987654321:gateway/sgw-12A3456B",
    ],
)
def test_a_gateway_that_is_not_here_is_not_found(client, gateway):
    assert_refused(refusal(client.create_tapes, **many(GatewayARN=gateway)), "GatewayNotFound")
    assert_refused(refusal(client.create_tape_with_barcode, **one(GatewayARN=gateway)), "GatewayNotFound")
    assert_refused(refusal(client.describe_tapes, GatewayARN=gateway), "GatewayNotFound")


# --- Reading --------------------------------------------------------------------------

READINGS = {
    "describe_tapes": ({"GatewayARN": GATEWAY}, "Tapes"),
    "describe_tape_archives": ({}, "TapeArchives"),
    "list_tapes": ({}, "TapeInfos"),
}


def seeded(tapes):
    return [tape["TapeBarcode"] for tape in tapes if tape["TapeBarcode"].startswith("TST")]


@pytest.mark.parametrize("size", PAGE_SIZES)
@pytest.mark.parametrize("reading", READINGS)
def test_paginators_meet_each_tape_once_and_in_order(client, reading, size):
    members, key = READINGS[reading]
    pages = list(client.get_paginator(reading).paginate(**members, PaginationConfig={"PageSize": size}))
    assert all(len(page[key]) == size for page in pages[:-1])
    assert 0 < len(pages[-1][key]) <= size
    assert "Marker" not in pages[-1]
    barcodes = [tape["TapeBarcode"] for page in pages for tape in page[key]]
    assert barcodes == sorted(set(barcodes))
    expected = {"describe_tapes": 130, "describe_tape_archives": 121, "list_tapes": 250}[reading]
    assert len(seeded(tape for page in pages for tape in page[key])) == expected


@pytest.mark.parametrize("reading", READINGS)
def test_a_page_has_100_tapes_when_no_limit_is_asked_for(client, reading):
    members, key = READINGS[reading]
    answer = getattr(client, reading)(**members)
    assert len(answer[key]) == 100 and answer["Marker"]


def everything(client, reading):
    members, key = READINGS[reading]
    return client.get_paginator(reading).paginate(**members).build_full_result()[key]


def test_each_call_shows_the_statuses_that_are_its_own(client):
    library, archive, both = (everything(client, reading) for reading in READINGS)
    in_archive = {"ARCHIVED", "RETRIEVING", "RETRIEVED", "DELETED"}
    assert {tape["TapeStatus"] for tape in archive} == in_archive
    assert {tape["TapeStatus"] for tape in library} == STATUSES - {"ARCHIVED", "RETRIEVING"}
    assert {tape["TapeStatus"] for tape in both} == STATUSES
    for tape in both:
        assert ("GatewayARN" in tape) == (tape["TapeBarcode"] in {tape["TapeBarcode"] for tape in library})


def test_the_seed_shows_pools_times_with_fractions_and_retention(client):
    archive = everything(client, "describe_tape_archives")
    assert {tape["PoolId"] for tape in archive} == {"GLACIER", "DEEP_ARCHIVE", CUSTOM_POOL}
    locked = [tape for tape in archive if tape.get("Worm")]
    assert locked and all(tape["RetentionStartDate"] and tape["PoolEntryDate"] for tape in locked)
    assert any(tape["CompletionTime"].microsecond for tape in archive)
    moving = [tape for tape in everything(client, "describe_tapes") if tape["TapeStatus"] == "ARCHIVING"]
    assert moving and all(0 < tape["Progress"] < 100 for tape in moving)


def test_tapes_that_are_not_there_are_left_out(client):
    unknown = f"arn:aws:storagegateway:us-east-1:{ACCOUNT}:tape/NOSUCHTAPE"
    known = f"arn:aws:storagegateway:us-east-1:{ACCOUNT}:tape/TST000200"
    assert client.describe_tapes(GatewayARN=GATEWAY, TapeARNs=[unknown, known])["Tapes"] == []
    [found] = client.describe_tape_archives(TapeARNs=[unknown, known])["TapeArchives"]
    assert found["TapeARN"] == known
    assert [tape["TapeARN"] for tape in client.list_tapes(TapeARNs=[unknown, known])["TapeInfos"]] == [known]


def test_a_marker_of_another_call_is_refused(client):
    marker = client.list_tapes(Limit=1)["Marker"]
    assert_refused(refusal(client.describe_tape_archives, Marker=marker), "InvalidParameters")
    assert_refused(refusal(client.list_tapes, Marker=marker[:-1]), "InvalidParameters")


# --- What is not the service's own ----------------------------------------------------


def test_a_wrong_secret_is_refused():
    client = make_client(secret="not the secret")
    assert_common(refusal(client.list_tapes), "InvalidSignatureException")


def test_an_unknown_key_id_is_refused():
    client = make_client(key_id="AKIDNOBODY")
    assert_common(refusal(client.list_tapes), "UnrecognizedClientException")


def test_operations_that_are_not_emulated_are_unknown(client):
    assert_common(refusal(client.list_volumes), "UnknownOperationException")


def test_constraints_are_checked_where_the_client_checks_none():
    client = make_client(parameter_validation=False)
    response = refusal(client.create_tapes, **many(NumTapesToCreate=11, TapeBarcodePrefix="lower"))
    assert_common(response, "ValidationException")
    assert response["Error"]["Message"].startswith("3 validation errors detected: ")
    assert_common(refusal(client.list_tapes, TapeARNs=["tape"]), "ValidationException")
    assert_common(refusal(client.describe_tapes), "ValidationException")
