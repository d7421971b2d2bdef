"""Faults on demand as boto3 meets them, made as anyone would who tests a client of AWS."""

import csv
import json
import urllib.error
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from harness import aws
from harness.aws import Control
from harness.judge import codes, refusal
from harness.paths import ROOT
from harness.process import Tapegate, emulator
from harness.seeds import GATEWAY, SIZE, new_barcode, tape_arn


@pytest.fixture(scope="module")
def running() -> Iterator[Tapegate]:
    with emulator() as running:
        yield running


@pytest.fixture
def faults(running: Tapegate) -> Iterator[Control]:
    control = Control(running.emulator)
    yield control
    control.clear_faults()


def create(client, barcode: str):
    return client.create_tape_with_barcode(GatewayARN=GATEWAY, TapeSizeInBytes=SIZE, TapeBarcode=barcode)


def exists(client, barcode: str) -> bool:
    return bool(client.list_tapes(TapeARNs=[tape_arn(barcode)])["TapeInfos"])


CARRIER = "InvalidGatewayRequestException"


def known_codes() -> list[tuple[str, bool]]:
    """Each code that the tape API and AWS's common errors have, and whether it is a nested one."""
    with (ROOT / "tests/it/fixtures/error_codes.tsv").open(newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    # The one that carries the nested codes comes with each of them.
    return [(row["error_code"], row["where"] == "nested") for row in rows if row["error_code"] != CARRIER]


@pytest.mark.parametrize(("code", "nested"), known_codes())
def test_every_error_is_parsed_as_that_of_aws(faults, code, nested):
    faults.add_fault(kind="error", **({"nested": code} if nested else {"code": code}))
    client = aws.client(faults.endpoint)
    with pytest.raises(ClientError) as raised:
        client.list_tapes()
    answer = raised.value.response
    assert codes(answer) == ((CARRIER, code) if nested else (code, None))
    statuses = {
        "InternalFailure": 500,
        "InternalServerError": 500,
        "ServiceUnavailable": 503,
        "RequestTimeoutException": 408,
        "InvalidClientTokenId": 403,
    }
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == statuses.get(codes(answer)[0], 400)
    assert answer["ResponseMetadata"]["RequestId"]
    modelled = {shape.name for shape in client.meta.service_model.error_shapes}
    expected = getattr(client.exceptions, answer["Error"]["Code"]) if codes(answer)[0] in modelled else ClientError
    assert type(raised.value) is expected


def test_a_modelled_exception_may_come_with_either_of_its_statuses(faults):
    faults.add_fault(kind="error", code="InternalServerError", nested="GatewayInternalError", status=400)
    client = aws.client(faults.endpoint)
    answer = refusal(client.list_tapes)
    assert codes(answer) == ("InternalServerError", "GatewayInternalError")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_throttled_calls_are_those_past_the_burst(faults):
    faults.add_fault(kind="throttle", rate=0, burst=2)
    client = aws.client(faults.endpoint)
    client.list_tapes()
    client.list_tapes()
    with pytest.raises(ClientError, match="ThrottlingException"):
        client.list_tapes()


def test_boto3_tries_again_after_a_throttled_call(faults):
    faults.add_fault(kind="error", code="ThrottlingException", calls=1)
    answer = aws.client(faults.endpoint, attempts=2).list_tapes()
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    assert faults.faults()[0]["hit"] == 1


@pytest.mark.parametrize(("when", "made"), [("before", False), ("after", True)])
def test_a_reset_leaves_the_tape_made_or_not(faults, when, made):
    faults.add_fault(kind="reset", when=when, operations=["CreateTapeWithBarcode"])
    client, barcode = aws.client(faults.endpoint), new_barcode()
    with pytest.raises(ConnectionClosedError):
        create(client, barcode)
    assert exists(client, barcode) == made


def test_a_create_that_boto3_sends_again_fails_over_its_own_tape(faults):
    faults.add_fault(kind="reset", when="after", calls=1)
    client, barcode = aws.client(faults.endpoint, attempts=2), new_barcode()
    with pytest.raises(ClientError) as raised:
        create(client, barcode)
    assert raised.value.response["error"]["errorCode"] == "InvalidParameters"
    assert exists(client, barcode)


def test_boto3_takes_a_malformed_answer_for_an_empty_one(faults):
    client = aws.unjudged_client(faults.endpoint)
    assert "TapeInfos" in client.list_tapes()
    faults.add_fault(kind="malformed")
    assert "TapeInfos" not in client.list_tapes()


def test_a_hang_ends_at_the_clients_own_timeout(faults):
    faults.add_fault(kind="hang")
    with pytest.raises(ReadTimeoutError):
        aws.client(faults.endpoint, read_timeout=0.2).list_tapes()


def test_a_bad_gateway_is_a_502(faults):
    faults.add_fault(kind="bad-gateway")
    with pytest.raises(ClientError) as raised:
        aws.client(faults.endpoint).list_tapes()
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502


def test_everything_wrong_with_a_rule_is_said_at_once(faults):
    with pytest.raises(urllib.error.HTTPError) as raised:
        faults.add_fault(kind="reset", share=2, colour="red")
    assert raised.value.code == 400
    assert json.load(raised.value)["errors"] == [
        "share: 2 is wrong; it takes a number from 0 (no call) to 1 (every call)",
        "colour: is unknown; the members are operations, regions, share, calls, seed, kind, when",
    ]


def test_rules_come_by_a_file_too(tmp_path):
    file = tmp_path / "faults.json"
    file.write_text('{"kind": "error", "code": "ServiceUnavailable", "share": 0.5}')
    with emulator(f"--faults={file}", "--fault-seed=41") as running:
        (rule,) = Control(running.emulator).faults()
        assert (rule["kind"], rule["share"], rule["seed"]) == ("error", 0.5, 42)
