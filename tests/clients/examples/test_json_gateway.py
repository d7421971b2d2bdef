"""The example gateway: the methods as JSON over HTTP, as curl and every HTTP client sends it."""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from pathlib import Path

import pytest

from examples.conftest import Site, build_go
from harness import aws
from harness.process import Lines, Tapegate, dev, environment
from harness.seeds import GATEWAY, new_token

SEEDED = 250
GIB = 1 << 30


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    # One message each line.
    lines: list[dict]


@dataclass(frozen=True)
class Gateway:
    address: str
    headers: Mapping[str, str]

    def open(self, path: str, body: bytes | None, headers: Mapping[str, str] = {}) -> HTTPResponse:
        url = f"http://{self.address}/tapegate.v1.TapeService/{path}"
        request = urllib.request.Request(url, data=body, headers=dict(self.headers) | dict(headers))
        return urllib.request.urlopen(request, timeout=30)

    def send(self, path: str, body: bytes | None, headers: Mapping[str, str] = {}) -> Answer:
        try:
            answer = self.open(path, body, headers)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read().decode()
            is_json = answer.headers["Content-Type"] == "application/json"
            lines = [json.loads(line) for line in text.splitlines()] if is_json else []
            return Answer(answer.status, answer.headers, lines)

    def post(self, method: str, message: dict, headers: Mapping[str, str] = {}) -> Answer:
        return self.send(method, json.dumps(message).encode(), headers)


@pytest.fixture(scope="module")
def service(site: Site) -> Iterator[Tapegate]:
    with dev(f"--emulator-seed-tapes={SEEDED}", "--retry-attempts=1", *site.flags()) as running:
        yield running


@pytest.fixture(scope="module")
def program() -> Path:
    return build_go("json-gateway")


@pytest.fixture
def gateway(program: Path, service: Tapegate, site: Site) -> Iterator[Gateway]:
    env = {"TAPEGATE_ADDRESS": service.grpc, "TAPEGATE_CA": str(site.own.cert), "LISTEN": "127.0.0.1:0"}
    process = subprocess.Popen(
        [program], env=environment(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    line = Lines(process.stdout).wait_for(lambda line: line.startswith("listening "))
    bearer = f"Bearer {site.token_file.read_text().strip()}"
    yield Gateway(line.removeprefix("listening http="), {"Content-Type": "application/json", "Authorization": bearer})
    process.terminate()
    assert process.wait(30) == 0


def test_a_list_is_a_line_for_each_page(gateway: Gateway):
    answer = gateway.post("ListTapes", {}, {"X-Request-Id": "of-a-curl"})
    assert answer.status == 200
    assert answer.headers["X-Request-Id"] == "of-a-curl"
    barcodes = [tape["tapeBarcode"] for line in answer.lines for tape in line["result"].get("tapeInfos", [])]
    assert len(answer.lines) > 1 and len(set(barcodes)) == len(barcodes) == SEEDED


def test_a_list_that_breaks_ends_with_its_error(gateway: Gateway, service: Tapegate):
    faults = aws.Control(service.emulator)
    faults.add_fault(kind="latency", min_ms=500, operations=["ListTapes"])
    with gateway.open("ListTapes", b"{}", {"Cache-Control": "no-cache"}) as answer:
        assert "result" in json.loads(answer.readline())
        faults.add_fault(kind="error", code="InternalServerError", operations=["ListTapes"])
        last = json.loads(answer.readlines()[-1])
    faults.clear_faults()
    (info,) = (detail for detail in last["error"]["details"] if detail["@type"].endswith("ErrorInfo"))
    assert (info["reason"], info["metadata"]["retry"]) == ("INTERNAL_SERVER_ERROR", "same_call")


def test_a_create_with_a_token_makes_its_tapes_once(gateway: Gateway):
    create = {
        "gatewayArn": GATEWAY,
        "tapeSizeInBytes": str(100 * GIB),
        "clientToken": new_token(),
        "numTapesToCreate": 2,
        "tapeBarcodePrefix": "JSON",
        "poolId": "POOL_ID_GLACIER",
    }
    first, second = (gateway.post("CreateTapes", create).lines for _ in range(2))
    assert first == second and len(first[0]["tapeArns"]) == 2


def test_errors_are_statuses_with_their_details(gateway: Gateway):
    wrong = gateway.post("CreateTapes", {"gatewayArn": "sgw-12A3456B"})
    assert wrong.status == 400
    kinds = {detail["@type"].rpartition(".")[2]: detail for detail in wrong.lines[0]["details"]}
    assert kinds["ErrorInfo"]["reason"] == "INVALID_REQUEST"
    assert len(kinds["BadRequest"]["fieldViolations"]) == 5
    assert gateway.post("ListTapes", {}, {"Authorization": ""}).status == 401
    assert gateway.post("ListTapes", {}, {"Grpc-Timeout": "1n"}).status == 504
    misspelled = gateway.post("CreateTapes", {"pool_idd": "POOL_ID_GLACIER"})
    assert misspelled.status == 400 and "pool_idd" in misspelled.lines[0]["message"]


@pytest.mark.parametrize("more", [b', "pool_id": "POOL_ID_GLACIER"}', b"{}", b"]"])
def test_nothing_is_made_of_a_message_that_something_follows(gateway: Gateway, service: Tapegate, more: bytes):
    faults = aws.Control(service.emulator)
    faults.add_fault(kind="latency", min_ms=0, operations=["CreateTapes"])
    assert gateway.send("CreateTapes", b"{}" + more).status == 400
    assert gateway.send("CreateTapes?poolId=POOL_ID_GLACIER", b"{}").status == 400
    assert faults.hits() == 0
    faults.clear_faults()


def test_another_method_and_a_large_message_are_rejected(gateway: Gateway):
    answer = gateway.send("ListTapes", None)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert gateway.post("ListTapes", {"marker": "x" * (1 << 20)}).status == 413


def test_only_documented_headers_become_metadata(gateway: Gateway):
    bearer = gateway.headers["Authorization"]
    hidden = gateway.post("ListTapes", {}, {"Authorization": "", "Grpc-Metadata-Authorization": bearer})
    assert hidden.status == 401


def test_what_a_foreign_web_page_could_send_is_rejected(gateway: Gateway):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = gateway.post("ListTapes", {}, {"Content-Type": kind})
        assert answer.status == 415 and answer.headers["Accept-Post"] == "application/json"
