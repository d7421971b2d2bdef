"""Every attempt sends the caller's trace context to AWS, whether this service creates traces or not."""

from pathlib import Path
from urllib.parse import unquote

from harness.collector import collector
from harness.grpcurl import Grpcurl
from harness.process import Tapegate
from harness.seeds import GATEWAY, REGION, SIZE, new_token, tape_arn
from harness.upstream import ScriptedUpstream, serve

CLIENT = 3
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAID = {
    "traceparent": f"00-{TRACE}-{PARENT}-01",
    "tracestate": "vendor=opaque:1,other=2",
    "baggage": "tenant=north%20wing,job=17;kind=nightly",
}
THROTTLED = (400, {"__type": "ThrottlingException", "message": "slow down"})
RETRIES_SOON = "--retry-throttled-base=20ms"


def tapes(*barcodes: str, marker: str | None = None) -> tuple[int, dict]:
    rows = [{"TapeARN": tape_arn(barcode)} for barcode in barcodes]
    return 200, {"TapeInfos": rows} | ({"Marker": marker} if marker else {})


def call(running: Tapegate, method: str, message: dict):
    headers = [flag for name, value in SAID.items() for flag in ("-H", f"{name}: {value}")]
    assert Grpcurl(running.grpc).call(method, message, flags=tuple(headers)).code == 0


def members(baggage: str) -> set[str]:
    """The members of a baggage header, in any order and encoding."""
    return {unquote(member.strip()) for member in baggage.split(",")}


def test_each_attempt_sends_the_context_of_its_own_span(tmp_path: Path):
    upstream = ScriptedUpstream(THROTTLED, tapes("ONE00001", marker="next"), tapes("ONE00002"))
    with (
        upstream,
        collector(tmp_path) as taking,
        serve(upstream.endpoint, f"--otlp-endpoint=http://{taking.grpc}", RETRIES_SOON) as running,
    ):
        call(running, "ListTapes", {})
    spans = [span for span in taking.spans() if span.trace == TRACE and span.kind == CLIENT]
    attempts = sorted(spans, key=lambda span: span.begins)
    assert len({attempt.id for attempt in attempts}) == 3
    for attempt, head in zip(attempts, upstream.heads, strict=True):
        assert head.get_all("traceparent") == [f"00-{TRACE}-{attempt.id}-01"]
        assert head.get_all("tracestate") == [SAID["tracestate"]]
        assert members(head["baggage"]) == members(SAID["baggage"])
        # It is not signed: a proxy may replace it.
        assert "traceparent" not in head["authorization"]


def test_without_traces_of_its_own_the_service_forwards_the_callers_context():
    created = (200, {"TapeARNs": [tape_arn("NEW00001")]})
    script = (THROTTLED, tapes("ONE00001", marker="next"), tapes("ONE00002"), THROTTLED, created)
    with ScriptedUpstream(*script) as upstream:
        with serve(upstream.endpoint, RETRIES_SOON) as running:
            call(running, "ListTapes", {"region": REGION})
            create = {
                "gatewayArn": GATEWAY,
                "tapeSizeInBytes": SIZE,
                "clientToken": new_token(),
                "numTapesToCreate": 1,
                "tapeBarcodePrefix": "NEW",
            }
            call(running, "CreateTapes", create)
        assert len(upstream.heads) == len(script)
        for head in upstream.heads:
            assert head.get_all("traceparent") == [SAID["traceparent"]]
            assert head.get_all("tracestate") == [SAID["tracestate"]]
            assert members(head["baggage"]) == members(SAID["baggage"])
