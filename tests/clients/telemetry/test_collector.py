"""What a real OpenTelemetry collector receives about calls made with grpcurl."""

import shutil

import pytest

from harness import aws
from harness.collector import Collector, Span, collector, values
from harness.grpcurl import Grpcurl
from harness.paths import ROOT
from harness.process import dev, make_token, plant
from harness.seeds import ACCOUNT, GATEWAY, SIZE, new_barcode

SERVER, CLIENT = 2, 3
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NOT_SAMPLED = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
KMS_KEY = "arn:aws:kms:us-east-1:123456789012:key/0f0f0f0f-planted-kms-key-id"


class Received:
    """What the collector received from a service that was called and has stopped."""

    def __init__(self, collector: Collector, has_logs: bool):
        self.collector = collector
        self.has_logs = has_logs
        self.spans = collector.spans()

    def call(self, request_id: str) -> Span:
        named = [span for span in self.spans if span.attributes.get("tapegate.request_id") == request_id]
        # grpcurl calls reflection with the same metadata.
        [span] = [span for span in named if span.name.startswith("tapegate.v1.")]
        return span


# No log filter switches spans off.
@pytest.fixture(scope="module", params=[("grpc", "info"), ("http", "off")], ids=["grpc", "http-and-no-log"])
def received(request, tmp_path_factory) -> Received:
    protocol, log = request.param
    folder = tmp_path_factory.mktemp("telemetry")
    tokens = folder / "tokens.toml"
    token = make_token("operator", "tape-operators", file=tokens)
    policies = folder / "policies"
    shutil.copytree(ROOT / "deploy" / "policies", policies)
    plant(KMS_KEY)
    with collector(folder) as taking:
        settings = [
            f"--otlp-endpoint=http://{getattr(taking, protocol)}",
            f"--otlp-protocol={protocol}",
            f"--account-id={ACCOUNT}",
            f"--auth-tokens-file={tokens}",
            f"--policy-path={policies}",
            "--retry-throttled-base=20ms",
            f"--log-filter={log}",
        ]
        with dev(*settings) as running:
            grpcurl = Grpcurl(running.grpc)

            def call(method: str, message: dict, request_id: str, *headers: str):
                headers = (f"authorization: Bearer {token}", f"x-request-id: {request_id}", *headers)
                return grpcurl.call(method, message, flags=tuple(flag for one in headers for flag in ("-H", one)))

            traced = f"traceparent: 00-{TRACE}-{PARENT}-01"
            assert call("ListTapes", {"limit": 100}, "list-of-three-pages", traced).code == 0
            aws.Control(running.emulator).add_fault(
                kind="error", code="ThrottlingException", operations=["DescribeTapes"], calls=1
            )
            assert call("DescribeTapes", {"gatewayArn": GATEWAY, "maxItems": 1}, "throttled-once").code == 0
            create = {
                "gatewayArn": GATEWAY,
                "tapeSizeInBytes": SIZE,
                "tapeBarcode": new_barcode(),
                "kmsEncrypted": True,
                "kmsKey": KMS_KEY,
            }
            call("CreateTapeWithBarcode", create, "with-a-key")
            assert call("ListTapes", {"region": "mars"}, "a-bad-request").code != 0
            unsampled = f"traceparent: 00-{NOT_SAMPLED}-{PARENT}-00"
            assert call("ListTapes", {"maxItems": 1}, "not-sampled", unsampled).code == 0
        # The service has stopped: what it has not exported is lost.
    return Received(taking, has_logs=log != "off")


def test_a_list_is_one_trace_from_the_agent_to_each_attempt(received: Received):
    call = received.call("list-of-three-pages")
    assert (call.trace, call.parent) == (TRACE, PARENT)
    assert call.kind == SERVER
    assert call.name == "tapegate.v1.TapeService/ListTapes"
    expected = {
        "rpc.system.name": "grpc",
        "rpc.method": "tapegate.v1.TapeService/ListTapes",
        "rpc.response.status_code": "OK",
    }
    assert expected.items() <= call.attributes.items()
    assert "error.type" not in call.attributes
    pages = [span for span in call.children if span.name == "page"]
    assert [page.attributes["tapegate.page.tapes"] for page in pages] == ["100", "100", "50"]
    for page in pages:
        [attempt] = page.children
        assert attempt.kind == CLIENT
        assert attempt.trace == TRACE
        expected = {
            "rpc.system.name": "aws-api",
            "rpc.method": "StorageGateway/ListTapes",
            "cloud.region": "us-east-1",
            "http.response.status_code": "200",
        }
        assert expected.items() <= attempt.attributes.items()
        assert attempt.attributes["aws.request_id"]
        assert call.begins <= page.begins <= attempt.begins <= attempt.ends <= page.ends <= call.ends


def test_a_retry_has_its_reason(received: Received):
    [page] = [span for span in received.call("throttled-once").children if span.name == "page"]
    first, second = [span for span in page.children if span.kind == CLIENT]
    assert first.attributes["error.type"] == "ThrottlingException"
    assert first.attributes["http.response.status_code"] == "400"
    assert first.status["code"] == 2
    assert second.attributes["tapegate.retry.reason"] == "ThrottlingException"
    # In seconds: full jitter up to retry.throttled_base.
    assert 0.0 <= second.attributes["tapegate.retry.delay"] <= 0.02
    assert "tapegate.retry.delay" not in first.attributes
    assert "error.type" not in second.attributes
    assert first.attributes["aws.request_id"] != second.attributes["aws.request_id"]
    # The call succeeded.
    assert received.call("throttled-once").attributes["rpc.response.status_code"] == "OK"


def test_a_callers_mistake_is_not_a_server_error(received: Received):
    call = received.call("a-bad-request")
    assert call.attributes["rpc.response.status_code"] == "INVALID_ARGUMENT"
    assert "error.type" not in call.attributes
    assert call.status.get("code", 0) == 0


def test_a_trace_that_its_caller_does_not_sample_is_not_exported(received: Received):
    assert not [span for span in received.spans if span.trace == NOT_SAMPLED]


def test_log_records_have_their_trace(received: Received):
    ended = [record for record in received.collector.logs() if record["body"].get("stringValue") == "call ended"]
    assert bool(ended) == received.has_logs
    if received.has_logs:
        [of_list] = [record for record in ended if record.get("traceId") == TRACE]
        assert values(of_list["attributes"])["request_id"] == "list-of-three-pages"


def test_metrics_are_exported(received: Received):
    metrics = received.collector.metrics()
    assert {"rpc.server.call.duration", "tapegate.upstream.attempt.duration", "tapegate.ready"} <= metrics
    resources = received.collector.resources()
    assert {resource["service.name"] for resource in resources} == {"tapegate"}
    assert all(resource["service.version"] for resource in resources)
    assert len({resource["service.instance.id"] for resource in resources}) == 1, "one process is one instance"


def test_no_secret_is_exported(received: Received):
    text = received.collector.text()
    for forbidden in ("authorization", "Bearer", "AWS4-HMAC-SHA256", "x-amz-security-token"):
        assert forbidden not in text
