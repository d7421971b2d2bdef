"""Spans and log records of calls that end while the service drains are exported before the process ends."""

import time
from pathlib import Path

import grpc
from tapegate.v1.tape_service_pb2 import ListTapesRequest
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.aws import Control
from harness.collector import collector
from harness.process import dev


def test_the_spans_and_lines_of_the_last_call_arrive(tmp_path: Path):
    # Only the shutdown exports anything.
    env = {f"OTEL_{batches}_SCHEDULE_DELAY": "600000" for batches in ("BSP", "BLRP")}
    with (
        collector(tmp_path) as taking,
        dev(f"--otlp-endpoint=http://{taking.grpc}", env=env) as running,
        grpc.insecure_channel(running.grpc) as channel,
    ):
        upstream = Control(running.emulator)
        upstream.add_fault(kind="latency", min_ms=500)
        call = TapeServiceStub(channel).ListTapes(ListTapesRequest(max_items=1), timeout=30)
        while not upstream.hits():
            time.sleep(0.01)
        assert "resourceSpans" not in taking.text()
        running.ask_to_end()
        assert len(list(call)) == 1
        assert running.wait() == 0
    names = [span.name for span in taking.spans()]
    assert sorted(names) == ["StorageGateway/ListTapes", "page", "tapegate.v1.TapeService/ListTapes"]
    assert "call ended" in [record["body"].get("stringValue") for record in taking.logs()]
