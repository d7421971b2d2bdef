"""SIGTERM ends the process with 0, in bounded time, whatever is open."""

import time
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tapegate.v1 import tape_service_pb2
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.process import Tapegate, dev, emulator

DRAIN = 2.0
# Over the drain: what a loaded machine takes for the rest.
SLACK = 10.0
QUICK_DRAIN = {"TAPEGATE_SHUTDOWN_DRAIN_TIMEOUT": f"{DRAIN:.0f}s"}


def ends(running: Tapegate) -> float:
    """Asks for the end; the seconds that it took."""
    asked = time.monotonic()
    running.ask_to_end()
    assert running.wait() == 0, running.stderr
    return time.monotonic() - asked


def news(watch) -> Iterator[int]:
    """What a watch says until it ends, well or not."""
    try:
        for answer in watch:
            yield answer.status
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            raise


@pytest.mark.parametrize("start", [dev, emulator])
def test_while_idle(start):
    with start() as running:
        assert ends(running) < SLACK


def test_with_an_idle_connection():
    with dev() as running, grpc.insecure_channel(running.grpc) as channel:
        grpc.channel_ready_future(channel).result(timeout=10)
        assert ends(running) < SLACK


def test_while_health_is_watched():
    """A watch has no end of its own: it must not hold the process."""
    with dev(env=QUICK_DRAIN) as running, grpc.insecure_channel(running.grpc) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=60)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        assert ends(running) < DRAIN + SLACK

        # The only news that may still come is that the service stops.
        assert set(news(watch)) <= {health_pb2.HealthCheckResponse.NOT_SERVING}


def test_an_open_stream_is_read_to_its_end():
    """Begun before the signal, it is served whole."""
    with dev(env={"TAPEGATE_EMULATOR_SEED_TAPES": "3000"}) as running:
        with grpc.insecure_channel(running.grpc) as channel:
            pages = TapeServiceStub(channel).ListTapes(tape_service_pb2.ListTapesRequest(limit=10), timeout=60)
            seen = len(next(pages).tape_infos)
            running.ask_to_end()
            seen += sum(len(page.tape_infos) for page in pages)
        assert seen == 3000
        assert running.wait() == 0


def test_a_stream_that_nobody_reads_is_cut_and_told_of():
    """A list that ended early must not look whole, neither to its caller nor to who stopped the service."""
    env = QUICK_DRAIN | {"TAPEGATE_EMULATOR_SEED_TAPES": "20000"}
    # A window that does not grow, so that the pause is felt by the server.
    small_window = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16384)]
    with dev(env=env) as running, grpc.insecure_channel(running.grpc, options=small_window) as channel:
        pages = TapeServiceStub(channel).ListTapes(tape_service_pb2.ListTapesRequest(), timeout=60)
        next(pages)

        asked = time.monotonic()
        running.ask_to_end()
        assert running.wait() != 0
        assert time.monotonic() - asked < DRAIN + SLACK
        assert "shutdown.drain_timeout" in "\n".join(running.stderr.all())

        with pytest.raises(grpc.RpcError):
            list(pages)


def test_the_port_is_free_for_the_next_one():
    with dev() as running:
        ends(running)
    with dev(listen=running.grpc) as next_one:
        assert next_one.grpc == running.grpc
