"""Well-behaved clients beside an attack, in a process of their own, and what they see."""

import os
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context

import grpc
from tapegate.v1.tape_service_pb2 import ListTapesRequest
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.certificates import NAME
from harness.details import error_info
from harness.siege.figures import quantile

CALL_EVERY = 0.02
CONNECT_EVERY = 0.1
PROBE_EVERY = 0.1
# An answer that takes longer is as bad as none.
TIMEOUT = 10.0


@dataclass
class Seen:
    """How long the calls of one client took, and how those ended that failed."""

    took: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def p99(self) -> float:
        return quantile(self.took, 0.99)

    @property
    def longest(self) -> float:
        return max(self.took, default=0.0)


@dataclass
class Neighbour:
    """What each client has seen."""

    calls: Seen = field(default_factory=Seen)
    connects: Seen = field(default_factory=Seen)
    probes: Seen = field(default_factory=Seen)

    @property
    def total(self) -> int:
        return sum(len(seen.took) + len(seen.failed) for seen in (self.calls, self.connects, self.probes))

    @property
    def failed(self) -> list[str]:
        return self.calls.failed + self.connects.failed + self.probes.failed


@dataclass(frozen=True)
class Place:
    """Where the neighbours call, and with which token."""

    grpc: str
    admin: str
    token: str
    # A certificate authority; None is plain text.
    ca: bytes | None = None

    def channel(self) -> grpc.Channel:
        # Otherwise grpcio uses one connection for all channels to an address.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.ssl_target_name_override", NAME)]
        if self.ca is None:
            return grpc.insecure_channel(self.grpc, options=options[:1])
        return grpc.secure_channel(self.grpc, grpc.ssl_channel_credentials(self.ca), options=options)

    def call(self, channel: grpc.Channel):
        metadata = [("authorization", f"Bearer {self.token}")]
        list(TapeServiceStub(channel).ListTapes(ListTapesRequest(max_items=1), metadata=metadata, timeout=TIMEOUT))

    def connect(self):
        with self.channel() as channel:
            self.call(channel)

    def probe(self):
        urllib.request.urlopen(f"{self.admin}/livez", timeout=TIMEOUT).close()


def _repeat(ends: float, every: float, seen: Seen, call: Callable[[], None]):
    due = time.monotonic()
    while due < ends:
        began = time.monotonic()
        try:
            call()
            seen.took.append(time.monotonic() - began)
        except grpc.RpcError as error:
            seen.failed.append(f"{error.code().name} {error_info(error).reason} {error.details()}")
        except OSError as error:
            seen.failed.append(repr(error))
        due = max(due + every, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


def _run(place: Place, seconds: float, results):
    # What measures does not wait for a processor behind what is measured, if the system allows it.
    with suppress(PermissionError):
        os.nice(-5)
    neighbour, ends = Neighbour(), time.monotonic() + seconds
    with place.channel() as channel:
        loops = [
            (CALL_EVERY, neighbour.calls, lambda: place.call(channel)),
            (CONNECT_EVERY, neighbour.connects, place.connect),
            (PROBE_EVERY, neighbour.probes, place.probe),
        ]
        threads = [threading.Thread(target=_repeat, args=(ends, *loop)) for loop in loops]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    results.put(neighbour)


class Neighbours:
    """The clients, which call for so many seconds."""

    def __init__(self, place: Place, seconds: float):
        spawn = get_context("spawn")
        self._results = spawn.Queue()
        self._process = spawn.Process(target=_run, args=(place, seconds, self._results), daemon=True)
        self._process.start()

    def seen(self, within: float) -> Neighbour:
        seen = self._results.get(timeout=within)
        self._process.join(within)
        return seen
