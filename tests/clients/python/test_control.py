"""A script with boto3 and plain HTTP plays every part in the life of a tape: the administrator who makes the gateway,
the backup software, and time. The clock of its emulator stands still, so nothing happens that it did not do."""

import json
from urllib.error import HTTPError

import pytest

from harness import aws
from harness.judge import assert_refused, refusal
from harness.process import emulator
from harness.seeds import ACCOUNT, GIB, SIZE, new_barcode, new_token

REGION = "eu-central-1"
GATEWAY_ID = "sgw-CE11A700"
GATEWAY = f"arn:aws:storagegateway:{REGION}:{ACCOUNT}:gateway/{GATEWAY_ID}"
HOUR = 3600
# How far a script steps the clock before it asks again, and how often it does so.
STEP = HOUR // 4
PATIENCE = 60


class Control(aws.Control):
    """The control API of one emulator."""

    def __call__(self, method: str, path: str, **members):
        return self.ask(method, path, None if method == "GET" else members)

    def refused(self, method: str, path: str, **members) -> tuple[int, list[str]]:
        with pytest.raises(HTTPError) as error:
            self(method, path, **members)
        return error.value.code, json.load(error.value)["errors"]

    def gateway(self, **members):
        return self("PUT", f"gateways/{REGION}/{GATEWAY_ID}", **members)


@pytest.fixture(scope="module")
def running():
    with emulator("--time-scale=0") as running:
        yield running


@pytest.fixture
def control(running):
    control = Control(running.emulator)
    control.gateway(type="VTL", name="Cellar", cache=True, connected=True)
    return control


@pytest.fixture
def client(running):
    return aws.client(running.emulator, region=REGION)


def create(client, pool: str) -> str:
    made = client.create_tape_with_barcode(
        GatewayARN=GATEWAY, TapeSizeInBytes=SIZE, TapeBarcode=new_barcode(), PoolId=pool
    )
    return made["TapeARN"]


def in_library(client, arn):
    return next(iter(client.describe_tapes(GatewayARN=GATEWAY, TapeARNs=[arn])["Tapes"]), None)


def in_archive(client, arn):
    return next(iter(client.describe_tape_archives(TapeARNs=[arn])["TapeArchives"]), None)


def wait_for(status: str, look, control, *through: str):
    """Steps the clock until `look` shows the tape in the status, and no status on the way but these. Answers the tape
    and the seconds that it took."""
    for waits in range(PATIENCE):
        tape = look()
        if tape and tape["TapeStatus"] == status:
            return tape, waits * STEP
        assert tape is None or tape["TapeStatus"] in through, tape
        control.step(STEP)
    raise AssertionError(f"not {status} within {PATIENCE * STEP} s of the emulator's time: {tape}")


@pytest.mark.parametrize(("pool", "hours"), [("GLACIER", (3, 5)), ("DEEP_ARCHIVE", (12, 12))])
def test_a_tape_lives_from_the_gateway_to_the_shelf_and_back(client, control, pool, hours):
    arn = create(client, pool)
    library, archive = (lambda: in_library(client, arn)), (lambda: in_archive(client, arn))
    wait_for("AVAILABLE", library, control)

    loaded = control("POST", "load", tape_arn=arn)
    assert loaded["device"] == library()["VTLDevice"] == f"{GATEWAY}/device/AMZN_SGW-CE11A700_TAPEDRIVE_00001"
    for written in (40 * GIB, 80 * GIB):
        assert control("POST", "write", tape_arn=arn, bytes=40 * GIB)["used"] == written
        assert library()["TapeUsedInBytes"] == written

    ejected = control("POST", "eject", tape_arn=arn)
    assert (ejected["status"], ejected["device"]) == ("IN TRANSIT TO VTS", None)
    shelved, _ = wait_for("ARCHIVED", archive, control, "IN TRANSIT TO VTS", "ARCHIVING")
    assert (shelved["PoolId"], shelved["TapeUsedInBytes"]) == (pool, 80 * GIB)
    assert library() is None

    client.retrieve_tape_archive(TapeARN=arn, GatewayARN=GATEWAY)
    retrieved, took = wait_for("RETRIEVED", archive, control, "RETRIEVING")
    assert retrieved["RetrievedTo"] == GATEWAY
    assert hours[0] * HOUR <= took <= hours[1] * HOUR + STEP
    assert library()["TapeStatus"] == "RETRIEVED"
    assert control.refused("POST", "write", tape_arn=arn, bytes=1)[0] == 409

    control("POST", "load", tape_arn=arn)
    control("POST", "eject", tape_arn=arn)
    again, took = wait_for("ARCHIVED", archive, control)
    assert took == 0 and again["CompletionTime"] > shelved["CompletionTime"]
    assert "RetrievedTo" not in again and library() is None


def test_the_clock_stands_until_it_is_stepped(client, control):
    before = control("GET", "clock")
    assert before["time_scale"] == 0
    assert control("GET", "clock") == before
    arn = create(client, "GLACIER")
    assert control("POST", "eject", tape_arn=arn)["status"] == "ARCHIVING"
    control.step(599)
    assert in_library(client, arn)["TapeStatus"] == "ARCHIVING"
    control.step(1)
    assert in_archive(client, arn)["TapeStatus"] == "ARCHIVED"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"cache": False}, "NoDisksAvailable"),
        ({"connected": False}, "GatewayNotConnected"),
    ],
)
def test_a_gateway_in_trouble_takes_no_tape_until_it_is_mended(client, control, change, code):
    arn = create(client, "GLACIER")
    control.gateway(**change)
    assert_refused(refusal(create, client, "GLACIER"), code)
    members = {"GatewayARN": GATEWAY, "TapeSizeInBytes": SIZE, "NumTapesToCreate": 1, "TapeBarcodePrefix": "NEW"}
    assert_refused(refusal(client.create_tapes, ClientToken=new_token(), **members), code)
    assert in_library(client, arn)["TapeStatus"] == "AVAILABLE"
    control.gateway(**dict.fromkeys(change, True))
    create(client, "GLACIER")


def test_a_volume_gateway_is_no_tape_gateway(client, control):
    made = control("PUT", f"gateways/{REGION}/sgw-0B0B0B0B", type="CACHED", name="Volumes")
    assert_refused(refusal(client.describe_tapes, GatewayARN=made["arn"]), "NotSupported")
    listed = client.get_paginator("list_gateways").paginate().build_full_result()["Gateways"]
    assert {row["GatewayName"]: row["GatewayType"] for row in listed} == {"Cellar": "VTL", "Volumes": "CACHED"}
    shown = [row for row in control("GET", "gateways")["gateways"] if row["region"] == REGION]
    assert {row["arn"] for row in shown} == {row["GatewayARN"] for row in listed}


def test_a_gateway_with_tapes_keeps_its_type(client, control):
    create(client, "GLACIER")
    status, [error] = control.refused("PUT", f"gateways/{REGION}/{GATEWAY_ID}", type="FILE_S3")
    assert status == 409 and "must keep the type VTL" in error
