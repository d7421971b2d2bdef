"""Faults on demand as boto3 meets them, made as anyone would who tests a client of AWS."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from harness.faults import Faults
from harness.process import Tapegate, emulator
from harness.seeds import ACCESS_KEY_ID, GATEWAY, REGION, SECRET_ACCESS_KEY, SIZE, new_barcode, tape_arn


class Clients(Faults):
    """The emulator's fault rules, and clients that meet them."""

    def client(self, attempts: int = 1, **config):
        return boto3.client(
            "storagegateway",
            endpoint_url=self._endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
            config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}, **config),
        )


@pytest.fixture(scope="module")
def running() -> Iterator[Tapegate]:
    with emulator() as running:
        yield running


@pytest.fixture
def faults(running: Tapegate) -> Iterator[Clients]:
    faults = Clients(running)
    yield faults
    faults.clear()


def create(client, barcode: str):
    return client.create_tape_with_barcode(GatewayARN=GATEWAY, TapeSizeInBytes=SIZE, TapeBarcode=barcode)


def exists(client, barcode: str) -> bool:
    return bool(client.list_tapes(TapeARNs=[tape_arn(barcode)])["TapeInfos"])


@pytest.mark.parametrize(
    ("rule", "status", "code"),
    [
        ({"code": "InternalFailure"}, 500, "InternalFailure"),
        ({"code": "ServiceUnavailable"}, 503, "ServiceUnavailable"),
        ({"code": "InternalServerError", "status": 400}, 400, "InternalServerError"),
        ({"code": "AccessDeniedException"}, 400, "AccessDeniedException"),
        ({"code": "ExpiredTokenException"}, 400, "ExpiredTokenException"),
        ({"nested": "GatewayNotConnected"}, 400, "InvalidGatewayRequestException"),
    ],
)
def test_errors_are_parsed_as_those_of_aws(faults, rule, status, code):
    faults.add(kind="error", **rule)
    with pytest.raises(ClientError) as raised:
        faults.client().list_tapes()
    answer = raised.value.response
    assert answer["Error"]["Code"] == code
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    assert answer["ResponseMetadata"]["RequestId"]
    assert answer.get("error", {}).get("errorCode") == rule.get("nested")


def test_throttled_calls_are_those_past_the_burst(faults):
    faults.add(kind="throttle", rate=0, burst=2)
    client = faults.client()
    client.list_tapes()
    client.list_tapes()
    with pytest.raises(ClientError, match="ThrottlingException"):
        client.list_tapes()


def test_boto3_tries_again_after_a_throttled_call(faults):
    faults.add(kind="error", code="ThrottlingException", calls=1)
    answer = faults.client(attempts=2).list_tapes()
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    assert faults.shown()[0]["hit"] == 1


@pytest.mark.parametrize(("when", "made"), [("before", False), ("after", True)])
def test_a_reset_leaves_the_tape_made_or_not(faults, when, made):
    faults.add(kind="reset", when=when, operations=["CreateTapeWithBarcode"])
    client, barcode = faults.client(), new_barcode()
    with pytest.raises(ConnectionClosedError):
        create(client, barcode)
    assert exists(client, barcode) == made


def test_a_create_that_boto3_sends_again_fails_over_its_own_tape(faults):
    faults.add(kind="reset", when="after", calls=1)
    client, barcode = faults.client(attempts=2), new_barcode()
    with pytest.raises(ClientError) as raised:
        create(client, barcode)
    assert raised.value.response["error"]["errorCode"] == "InvalidParameters"
    assert exists(client, barcode)


def test_boto3_takes_a_malformed_answer_for_an_empty_one(faults):
    client = faults.client()
    assert "TapeInfos" in client.list_tapes()
    faults.add(kind="malformed")
    assert "TapeInfos" not in client.list_tapes()


def test_a_hang_ends_at_the_clients_own_timeout(faults):
    faults.add(kind="hang")
    with pytest.raises(ReadTimeoutError):
        faults.client(read_timeout=0.2).list_tapes()


def test_a_bad_gateway_is_a_502(faults):
    faults.add(kind="bad-gateway")
    with pytest.raises(ClientError) as raised:
        faults.client().list_tapes()
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502


def test_everything_wrong_with_a_rule_is_said_at_once(faults):
    with pytest.raises(urllib.error.HTTPError) as raised:
        faults.add(kind="reset", share=2, colour="red")
    assert raised.value.code == 400
    assert json.load(raised.value)["errors"] == [
        "share: 2 is wrong; it takes a number from 0 (no call) to 1 (every call)",
        "colour: is unknown here; known are operations, share, calls, seed, kind, when",
    ]


def test_rules_come_by_a_file_too(tmp_path):
    file = tmp_path / "faults.json"
    file.write_text('{"kind": "error", "code": "ServiceUnavailable", "share": 0.5}')
    with emulator(f"--faults={file}", "--fault-seed=41") as running:
        (rule,) = Faults(running).shown()
        assert (rule["kind"], rule["share"], rule["seed"]) == ("error", 0.5, 42)
