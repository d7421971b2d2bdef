"""A collector that is unreachable, hangs or sends nonsense does not delay calls or the shutdown."""

import re
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from tapegate.v1.tape_service_pb2 import ListTapesRequest
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.grpcurl import Grpcurl
from harness.ports import free_address
from harness.process import dev

CALLS = 12
# The time that a collector has for the rest of each signal, with a margin.
ENDS_WITHIN = 15.0

# Default capacity of the queue of each signal.
QUEUE = 2048
# This number of calls fills the queue of spans: each call has three spans, and one log record.
FILLS = 750
CALLERS = 5
# Each span of a call holds this trace state of 4 KiB.
HEAVY = [
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("tracestate", ",".join(f"vendor{number}={'x' * 240}" for number in range(16))),
]
# In MiB. With queues of a million items the memory grows by 26.
MAX_GROWTH = 12.0


@contextmanager
def listening(answer: bytes | None) -> Iterator[str]:
    """A server that accepts connections, and sends this to each, or nothing."""
    held = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                if answer is not None:
                    connection.recv(1)
                    connection.sendall(answer)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield "{}:{}".format(*server.getsockname())
        for connection in held:
            connection.close()
        server.shutdown(socket.SHUT_RDWR)


@contextmanager
def unreachable() -> Iterator[str]:
    yield free_address()


KINDS = {
    "unreachable": unreachable,
    "hangs": lambda: listening(None),
    "nonsense": lambda: listening(b"220 this is another service\r\n"),
}


def metrics(admin: str) -> str:
    with urllib.request.urlopen(f"{admin}/metrics") as page:
        return page.read().decode()


def counts_of(admin: str, signal: str) -> dict[str, float]:
    """The counts of a signal, by result."""
    counts = re.finditer(rf'telemetry_{signal}_total\{{.*"(\w+)"\}} (\S+)', metrics(admin))
    return {found[1]: float(found[2]) for found in counts}


def resident(admin: str) -> float:
    """Memory of the process, in MiB."""
    return float(re.search(r"^process_memory_usage_bytes\S* (\S+)$", metrics(admin), re.MULTILINE)[1]) / (1 << 20)


@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_call_fails_or_waits_and_the_service_stops(kind: str, protocol: str):
    env = {"OTEL_BSP_MAX_QUEUE_SIZE": "16", "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with KINDS[kind]() as address:
        flags = [f"--otlp-endpoint=http://{address}", f"--otlp-protocol={protocol}"]
        running = dev(*flags, env=env)
        grpcurl = Grpcurl(running.grpc)
        for _ in range(CALLS):
            began = time.monotonic()
            assert grpcurl.call("ListTapes", {"maxItems": 1}).code == 0
            assert time.monotonic() - began < 5.0
        counts = counts_of(running.admin, "spans")
        # Each call has three spans: call, page and attempt. The collector accepted none.
        assert counts["ended"] >= 3 * CALLS
        assert counts["taken"] == 0
        running.ask_to_end()
        assert running.wait(ENDS_WITHIN) == 0


def test_memory_is_bounded_and_dropped_items_are_counted():
    def call(times: int):
        def some(caller: int):
            # Each caller sends a different request, so that no read is coalesced.
            request = ListTapesRequest(max_items=1 + caller)
            with grpc.insecure_channel(running.grpc) as channel:
                stub = TapeServiceStub(channel)
                for _ in range(times // CALLERS):
                    assert list(stub.ListTapes(request, metadata=HEAVY, timeout=30))

        with ThreadPoolExecutor(CALLERS) as callers:
            list(callers.map(some, range(CALLERS)))

    with listening(None) as address, dev(f"--otlp-endpoint=http://{address}") as running:
        call(FILLS)
        before = resident(running.admin)
        call(2 * FILLS)
        grew = resident(running.admin) - before
        print(f"{grew:.1f} MiB more after {2 * FILLS} calls more")
        for signal, made, of_a_call in ("spans", "ended", 3), ("log_records", "written", 1):
            counts = counts_of(running.admin, signal)
            assert counts[made] >= of_a_call * 3 * FILLS
            assert counts[made] - counts["failed"] - counts["dropped"] <= QUEUE, f"{signal}: {counts}"
            # How many are dropped before they are tried depends on the machine.
            assert counts["failed"] + counts["dropped"] > 0 and counts["taken"] == 0
        assert grew < MAX_GROWTH
        # The other test shows how the service stops.
        running.kill()
