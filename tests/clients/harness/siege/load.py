"""Load in a process of its own that takes little of the processors: closed loops, which call again when a call has
ended, and open ones, which do not wait. It speaks HTTP/2 by hand, because a client of gRPC is as much work for the
machine as the service."""

import itertools
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context

from tapegate.v1.tape_service_pb2 import CreateTapesRequest, ListTapesRequest

from harness.seeds import GATEWAY, SIZE, new_token
from harness.siege.figures import quantile
from harness.siege.frames import (
    ACK,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    call_fields,
    data,
    frame,
    headers,
    message,
    preface,
    window,
)

# Enough that no call waits for another one of its connection.
CONNECTIONS = 16
# One call in so many is a create.
CREATES = 10
# The creates are repeated, so that the library and with it the lists do not grow.
TOKENS = [new_token() for _ in range(100)]
TIMEOUT = 30.0
HEAD = 9


@dataclass
class Calls:
    """How calls of one kind ended, and how long they took: those that were answered, and those that were refused.
    The others had no end in time."""

    took: list[float] = field(default_factory=list)
    # How many of them were answered before the load ended.
    in_time: int = 0
    refused: list[float] = field(default_factory=list)
    without_end: int = 0

    @property
    def p99(self) -> float:
        return quantile(self.took, 0.99)

    @property
    def total(self) -> int:
        return len(self.took) + len(self.refused) + self.without_end


@dataclass
class Load:
    """What came of a load."""

    seconds: float
    lists: Calls = field(default_factory=Calls)
    creates: Calls = field(default_factory=Calls)

    @property
    def goodput(self) -> float:
        """Answers a second."""
        return (self.lists.in_time + self.creates.in_time) / self.seconds

    @property
    def refused(self) -> list[float]:
        return self.lists.refused + self.creates.refused


@dataclass
class OpenCall:
    calls: Calls
    began: float
    # A call that is refused has one block of header fields, another one has two.
    blocks: int = 0


class Connection:
    """Calls of one client, whose ends are told to `ended`."""

    def __init__(self, address: str, token: str, ended: Callable[[OpenCall, bool], None]):
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(preface() + window(0, 1 << 30))
        self.socket.setblocking(False)
        self._streams = itertools.count(1, 2)
        self._tokens = itertools.cycle(TOKENS)
        self.open: dict[int, OpenCall] = {}
        self._ended = ended
        self._received, self._to_send = b"", b""
        # Every call is work of its own: the service answers it from no other one.
        alone = {"cache-control": "no-cache"}
        self._list = call_fields("ListTapes", token, alone)
        self._create = call_fields("CreateTapes", token, alone)
        self._page = message(ListTapesRequest(limit=1000).SerializeToString())

    def list(self, calls: Calls):
        self._call(self._list, self._page, calls)

    def create(self, calls: Calls):
        request = CreateTapesRequest(
            gateway_arn=GATEWAY,
            tape_size_in_bytes=SIZE,
            client_token=next(self._tokens),
            num_tapes_to_create=1,
            tape_barcode_prefix="LOAD",
        )
        self._call(self._create, message(request.SerializeToString()), calls)

    def _call(self, block: bytes, request: bytes, calls: Calls):
        stream = next(self._streams)
        self.open[stream] = OpenCall(calls, time.monotonic())
        self._send(headers(stream, block) + data(stream, request, END_STREAM))

    def _send(self, more: bytes):
        self._to_send += more
        with suppress(BlockingIOError):
            self._to_send = self._to_send[self.socket.send(self._to_send) :]

    def read(self):
        with suppress(BlockingIOError):
            received = self.socket.recv(1 << 16)
            assert received, "the service has closed a connection"
            self._received += received
        self._send(b"")
        while len(self._received) >= HEAD:
            length = int.from_bytes(self._received[:3])
            if len(self._received) < HEAD + length:
                break
            kind, flags, stream = struct.unpack("!BBI", self._received[3:HEAD])
            self._see(kind, flags, stream, self._received[HEAD : HEAD + length])
            self._received = self._received[HEAD + length :]

    def _see(self, kind: int, flags: int, stream: int, payload: bytes):
        assert kind != GOAWAY, payload
        if kind == PING and not flags & ACK:
            self._send(frame(PING, ACK, 0, payload))
        call = self.open.get(stream)
        if call is None:
            return
        call.blocks += kind == HEADERS
        if kind == RST_STREAM or flags & END_STREAM:
            del self.open[stream]
            self._ended(call, kind != RST_STREAM and call.blocks > 1)


class Generator:
    def __init__(self, address: str, token: str, seconds: float):
        self._load = Load(seconds)
        self._ends = time.monotonic() + seconds
        self._connections = [Connection(address, token, self._ended) for _ in range(CONNECTIONS)]
        self._next = itertools.cycle(self._connections)
        self._numbers = itertools.count(1)
        self._selector = selectors.DefaultSelector()
        for connection in self._connections:
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        self._is_closed = False

    def _begin(self):
        connection = next(self._next)
        if next(self._numbers) % CREATES:
            connection.list(self._load.lists)
        else:
            connection.create(self._load.creates)

    def _ended(self, call: OpenCall, is_answer: bool):
        now = time.monotonic()
        took = now - call.began
        if is_answer:
            call.calls.took.append(took)
            call.calls.in_time += now < self._ends
        else:
            call.calls.refused.append(took)
        if self._is_closed and now < self._ends:
            self._begin()

    def _read(self, until: float):
        for key, _ in self._selector.select(max(0.0, until - time.monotonic())):
            key.data.read()

    def closed(self, at_once: float):
        """So many calls at any time."""
        self._is_closed = True
        for _ in range(round(at_once)):
            self._begin()
        while time.monotonic() < self._ends:
            self._read(self._ends)

    def open(self, per_second: float):
        """So many calls a second, whatever comes of them."""
        due = time.monotonic()
        while due < self._ends:
            while due <= time.monotonic():
                self._begin()
                due += 1 / per_second
            self._read(due)

    def run(self, kind: str, amount: float) -> Load:
        getattr(self, kind)(amount)
        patience = time.monotonic() + TIMEOUT
        while any(connection.open for connection in self._connections) and time.monotonic() < patience:
            self._read(patience)
        for connection in self._connections:
            for call in connection.open.values():
                call.calls.without_end += 1
            connection.socket.close()
        return self._load


def _run(address: str, token: str, kind: str, amount: float, seconds: float, results):
    # What measures does not wait for a processor behind what is measured, if the system allows it.
    with suppress(PermissionError):
        os.nice(-5)
    results.put(Generator(address, token, seconds).run(kind, amount))


def load(address: str, token: str, kind: str, amount: float, seconds: float) -> Load:
    """`closed`: so many calls at once; `open`: so many a second."""
    spawn = get_context("spawn")
    results = spawn.Queue()
    process = spawn.Process(target=_run, args=(address, token, kind, amount, seconds, results), daemon=True)
    process.start()
    done = results.get(timeout=seconds + 2 * TIMEOUT)
    process.join()
    return done
