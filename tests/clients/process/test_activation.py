"""Socket activation: the listeners are opened by a service manager, and outlive the process."""

import socket
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import pytest
from tapegate.v1.tape_service_pb2 import ListTapesRequest
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.process import Tapegate, emulator
from harness.seeds import ACCESS_KEY_ID, SECRET_ACCESS_KEY

KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY}


@pytest.fixture
def upstream() -> Iterator[Tapegate]:
    with emulator() as running:
        yield running


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    """Listeners at ports of their own."""
    with ExitStack() as opened:
        yield [opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]


def address(listener: socket.socket) -> str:
    return "{}:{}".format(*listener.getsockname())


def serve(upstream: Tapegate, sockets: list[socket.socket], env: dict[str, str], *arguments: str) -> Tapegate:
    flags = ["--allow-anonymous", "--region=us-east-1", f"--upstream-endpoint={upstream.emulator}", *arguments]
    return Tapegate("serve", *flags, env=KEYS | env, sockets=sockets)


def tapes(target: str) -> int:
    with grpc.insecure_channel(target) as channel:
        pages = TapeServiceStub(channel).ListTapes(ListTapesRequest(max_items=1), timeout=60)
        return sum(len(page.tape_infos) for page in pages)


def test_calls_that_come_during_a_restart_are_served(upstream, sockets):
    target = address(sockets[1])
    env = {"LISTEN_FDNAMES": "admin:grpc"}
    with serve(upstream, sockets, env) as first:
        assert first.addresses == {"grpc": target, "admin": address(sockets[0])}
        assert tapes(target) == 1
        with urllib.request.urlopen(first.admin + "/livez", timeout=10) as answer:
            assert answer.status == 200
    with ThreadPoolExecutor() as pool:
        # Nobody serves now: the connection waits in the socket.
        waiting = [pool.submit(tapes, target) for _ in range(10)]
        with pytest.raises(TimeoutError):
            waiting[0].result(timeout=0.5)
        with serve(upstream, sockets, env):
            assert [call.result(timeout=60) for call in waiting] == [1] * 10


def test_the_first_socket_is_for_grpc_where_none_has_a_name(upstream, sockets):
    with serve(upstream, sockets[:1], {}, "--admin-listen=127.0.0.1:0", "--listen=127.0.0.1:1") as running:
        assert running.grpc == address(sockets[0])
        assert tapes(running.grpc) == 1


def rejected(upstream: Tapegate, listener: socket.socket, env: dict[str, str]) -> str:
    """Why it does not start."""
    with pytest.raises(AssertionError) as failed:
        serve(upstream, [listener], env, "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0")
    return str(failed.value)


def test_a_socket_that_other_machines_reach_is_checked_like_a_setting(upstream):
    with socket.create_server(("0.0.0.0", 0)) as listener:
        why = rejected(upstream, listener, {})
    assert "(LISTEN_FDS): 0.0.0.0" in why and "is not a loopback address" in why


def test_a_socket_that_is_no_listener_of_tcp_is_named(upstream):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wrong:
        why = rejected(upstream, wrong, {"LISTEN_FDNAMES": "grpc"})
    assert "LISTEN_FDS: socket 0 grpc is not a TCP listener" in why
