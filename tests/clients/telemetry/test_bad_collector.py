"""A collector that is away, hangs or talks nonsense holds up nobody."""

import re
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.collector import free_address
from harness.grpcurl import Grpcurl
from harness.process import dev

CALLS = 12
# What a collector has for the last of each signal, and some.
ENDS_WITHIN = 15.0


@contextmanager
def listening(answer: bytes | None) -> Iterator[str]:
    """A server that takes connections, and says this to each, or nothing at all."""
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
def away() -> Iterator[str]:
    yield free_address()


KINDS = {
    "away": away,
    "hangs": lambda: listening(None),
    "nonsense": lambda: listening(b"220 this is another service\r\n"),
}


def span_counts(admin: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{admin}/metrics") as page:
        text = page.read().decode()
    return {found[1]: float(found[2]) for found in re.finditer(r'telemetry_spans_total\{.*"(\w+)"\} (\S+)', text)}


@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_call_fails_or_waits_and_the_end_comes(kind: str, protocol: str):
    env = {"OTEL_BSP_MAX_QUEUE_SIZE": "16", "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with KINDS[kind]() as address:
        flags = [f"--otlp-endpoint=http://{address}", f"--otlp-protocol={protocol}"]
        running = dev(*flags, env=env)
        grpcurl = Grpcurl(running.grpc)
        for _ in range(CALLS):
            began = time.monotonic()
            assert grpcurl.call("ListTapes", {"maxItems": 1}).code == 0
            assert time.monotonic() - began < 5.0
        counts = span_counts(running.admin)
        # Each has a call, a page and an attempt; the collector took none.
        assert counts["ended"] >= 3 * CALLS
        assert counts["taken"] == 0
        running.ask_to_end()
        assert running.wait(ENDS_WITHIN) == 0
