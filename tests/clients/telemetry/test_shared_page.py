"""A coalesced fetch is in the trace of the caller that began it."""

import time
from pathlib import Path

import grpc
from tapegate.v1.tape_service_pb2 import ListTapesRequest
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.aws import Control
from harness.collector import collector
from harness.process import dev

FIRST, SECOND = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"
PARENT = "00f067aa0ba902b7"
# Long enough that a second call begins before the first has its page.
WAITS_MS = 1500


def test_the_page_of_a_caller_that_joins_links_to_the_fetched_page(tmp_path: Path):
    with (
        collector(tmp_path) as taking,
        dev(f"--otlp-endpoint=http://{taking.grpc}") as running,
        grpc.insecure_channel(running.grpc) as channel,
    ):
        upstream = Control(running.emulator)
        upstream.add_fault(kind="latency", min_ms=WAITS_MS)

        def begin(trace: str):
            metadata = [("traceparent", f"00-{trace}-{PARENT}-01")]
            return TapeServiceStub(channel).ListTapes(ListTapesRequest(max_items=1), metadata=metadata, timeout=30)

        first = begin(FIRST)
        while not upstream.hits():
            time.sleep(0.01)
        second = begin(SECOND)
        assert list(first) == list(second)
        assert upstream.hits() == 1, "the page was fetched twice"
    spans = taking.spans()

    def page(trace: str):
        [call] = [span for span in spans if (span.trace, span.parent) == (trace, PARENT)]
        [page] = call.children
        return page

    [attempt] = page(FIRST).children
    assert attempt.name == "StorageGateway/ListTapes"
    assert not page(FIRST).links
    assert not page(SECOND).children
    assert page(SECOND).links == [(FIRST, page(FIRST).id)]
