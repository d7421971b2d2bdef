"""Waiters over the statuses of a tape, in the form of botocore's own: the API has none, so agents write them.

On a fast clock, by `botocore.waiter`, while calls are throttled and fail. The client's own retries are off, so that it
is the waiter's acceptors that ride over the faults.
"""

import pytest
from botocore.exceptions import WaiterError
from botocore.waiter import WaiterModel, create_waiter_with_client

from harness import aws
from harness.aws import Control
from harness.process import emulator
from harness.seeds import CUSTOM_POOL, GATEWAY, GIB, SIZE, new_barcode

# 12 hours pass in 1.1 s.
SCALE = 40_000
# In seconds, and tries: a minute in all, for what takes seconds.
DELAY, TRIES = 0.02, 3000
# What passes by itself, as the acceptor of a waiter sees it: the code of an error, or the status of an HTML page.
PASSING = ("ThrottlingException", "InternalFailure", "InternalServerError", "ServiceUnavailable", "502")


def acceptor(state: str, argument: str, expected) -> dict:
    return {"state": state, "matcher": "path", "argument": argument, "expected": expected}


def waiter(operation: str, *acceptors: dict) -> dict:
    passing = [{"state": "retry", "matcher": "error", "expected": code} for code in PASSING]
    # The first that matches decides.
    return {"operation": operation, "delay": DELAY, "maxAttempts": TRIES, "acceptors": [*acceptors, *passing]}


def status(where: str, word: str) -> dict:
    return acceptor("success", f"{where}[0].TapeStatus", word)


WAITERS = WaiterModel(
    {
        "version": 2,
        "waiters": {
            "TapeAvailable": waiter(
                "DescribeTapes",
                status("Tapes", "AVAILABLE"),
                acceptor("failure", "Tapes[0].TapeStatus", "IRRECOVERABLE"),
            ),
            "TapeArchived": waiter("DescribeTapeArchives", status("TapeArchives", "ARCHIVED")),
            "TapeRetrieved": waiter("DescribeTapes", status("Tapes", "RETRIEVED")),
            "TapeGone": waiter("ListTapes", acceptor("success", "length(TapeInfos)", 0)),
        },
    }
)
FAULTS = {
    "none": [],
    "throttled": [{"kind": "throttle", "rate": 20, "burst": 1}],
    "failing": [
        {"kind": "error", "code": "InternalFailure", "share": 0.3},
        {"kind": "error", "code": "ServiceUnavailable", "share": 0.3},
        {"kind": "bad-gateway", "share": 0.3},
        {"kind": "latency", "min_ms": 1, "max_ms": 10},
    ],
}
READING = ["DescribeTapes", "DescribeTapeArchives", "ListTapes"]


@pytest.fixture(scope="module")
def running():
    with emulator(f"--time-scale={SCALE}") as running:
        yield running


@pytest.fixture
def control(running):
    control = Control(running.emulator)
    yield control
    control.clear_faults()


@pytest.fixture
def client(running):
    return aws.client(running.emulator)


def wait(client, name: str, arn: str):
    members = {"GatewayARN": GATEWAY} if name in ("TapeAvailable", "TapeRetrieved") else {}
    create_waiter_with_client(name, WAITERS, client).wait(TapeARNs=[arn], **members)


def create(client, **changes) -> str:
    members = {"GatewayARN": GATEWAY, "TapeSizeInBytes": SIZE, "TapeBarcode": new_barcode()}
    return client.create_tape_with_barcode(**members | changes)["TapeARN"]


@pytest.mark.parametrize("faults", FAULTS)
@pytest.mark.parametrize("pool", ["GLACIER", "DEEP_ARCHIVE"])
def test_a_tape_is_waited_for_through_its_life(client, control, faults, pool):
    for rule in FAULTS[faults]:
        control.add_fault(operations=READING, **rule)
    arn = create(client, PoolId=pool)
    wait(client, "TapeAvailable", arn)
    control.write(arn, 40 * GIB)
    control.eject(arn)
    wait(client, "TapeArchived", arn)
    client.retrieve_tape_archive(TapeARN=arn, GatewayARN=GATEWAY)
    wait(client, "TapeRetrieved", arn)
    control.eject(arn)
    wait(client, "TapeArchived", arn)
    client.delete_tape_archive(TapeARN=arn)
    wait(client, "TapeGone", arn)
    failures = [rule["hit"] for rule in control.faults() if rule["kind"] != "latency"]
    assert any(failures) or faults == "none"


def test_a_waiter_fails_at_once_where_its_status_cannot_come(client):
    [irrecoverable] = [
        tape["TapeARN"]
        for tape in client.describe_tapes(GatewayARN=GATEWAY)["Tapes"]
        if tape["TapeStatus"] == "IRRECOVERABLE"
    ]
    with pytest.raises(WaiterError, match="terminal failure state") as failed:
        wait(client, "TapeAvailable", irrecoverable)
    assert failed.value.last_response["Tapes"][0]["TapeARN"] == irrecoverable


def test_a_waiter_fails_at_once_on_an_error_that_does_not_pass(client, control):
    control.add_fault(kind="error", code="AccessDeniedException", operations=READING)
    with pytest.raises(WaiterError, match="AccessDeniedException"):
        wait(client, "TapeGone", create(client))
    assert control.faults()[0]["hit"] == 1


def test_a_locked_tape_is_not_gone_before_its_bypass(client, control):
    arn = create(client, PoolId=CUSTOM_POOL, Worm=True)
    control.eject(arn)
    wait(client, "TapeArchived", arn)
    with pytest.raises(client.exceptions.InvalidGatewayRequestException):
        client.delete_tape_archive(TapeARN=arn)
    client.delete_tape_archive(TapeARN=arn, BypassGovernanceRetention=True)
    wait(client, "TapeGone", arn)
