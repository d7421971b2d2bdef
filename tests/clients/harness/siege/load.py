"""Load in a process of its own: closed loops, which call again when a call has ended, and open ones, which do not
wait."""

import asyncio
import itertools
import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context

import grpc
from tapegate.v1.tape_service_pb2 import CreateTapesRequest, ListTapesRequest
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.seeds import GATEWAY, SIZE, new_token
from harness.siege.figures import quantile
from harness.siege.lists import reason

# Enough that no call waits for another one of its connection.
CHANNELS = 16
# Every call is work of its own: the service answers it from no other one.
ALONE = [("cache-control", "no-cache")]
PER_PAGE = 1000
# One call in so many is a create.
CREATES = 10
TIMEOUT = 30.0


@dataclass
class Calls:
    """How calls of one kind ended, and how long they took: those that were answered, and those that were refused."""

    took: list[float] = field(default_factory=list)
    # How many of them were answered before the load ended.
    in_time: int = 0
    refused: list[float] = field(default_factory=list)
    ends: Counter = field(default_factory=Counter)

    @property
    def p99(self) -> float:
        return quantile(self.took, 0.99)


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


class Generator:
    def __init__(self, address: str, seconds: float):
        self._channels = [
            grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) for _ in range(CHANNELS)
        ]
        self._stubs = itertools.cycle([TapeServiceStub(channel) for channel in self._channels])
        self._numbers = itertools.count(1)
        self._loop = asyncio.get_running_loop()
        self._ends = self._loop.time() + seconds
        self.load = Load(seconds)

    async def _one(self):
        is_create = next(self._numbers) % CREATES == 0
        calls = self.load.creates if is_create else self.load.lists
        began = self._loop.time()
        try:
            await (self._create() if is_create else self._list())
        except grpc.aio.AioRpcError as error:
            calls.refused.append(self._loop.time() - began)
            calls.ends[reason(error) or f"{error.code().name} {error.details()}"] += 1
        else:
            calls.took.append(self._loop.time() - began)
            calls.in_time += self._loop.time() < self._ends
            calls.ends["OK"] += 1

    async def _create(self):
        request = CreateTapesRequest(
            gateway_arn=GATEWAY,
            tape_size_in_bytes=SIZE,
            client_token=new_token(),
            num_tapes_to_create=1,
            tape_barcode_prefix="LOAD",
        )
        await next(self._stubs).CreateTapes(request, timeout=TIMEOUT)

    async def _list(self):
        request = ListTapesRequest(limit=PER_PAGE, max_items=PER_PAGE)
        async for _ in next(self._stubs).ListTapes(request, metadata=ALONE, timeout=TIMEOUT):
            pass

    async def closed(self, at_once: int):
        """So many calls at any time."""

        async def again():
            while self._loop.time() < self._ends:
                await self._one()

        await asyncio.gather(*(again() for _ in range(at_once)))

    async def open(self, per_second: float):
        """So many calls a second, whatever comes of them."""
        due, calls = self._loop.time(), set()
        while due < self._ends:
            await asyncio.sleep(due - self._loop.time())
            call = asyncio.create_task(self._one())
            calls.add(call)
            call.add_done_callback(calls.discard)
            due += 1 / per_second
        await asyncio.gather(*calls)

    async def run(self, kind: str, amount: float) -> Load:
        await getattr(self, kind)(amount)
        for channel in self._channels:
            await channel.close()
        return self.load


def _run(address: str, kind: str, amount: float, seconds: float, results):
    # What measures does not wait for a processor behind what is measured, if the system allows it.
    with suppress(PermissionError):
        os.nice(-5)

    async def generate() -> Load:
        return await Generator(address, seconds).run(kind, amount)

    results.put(asyncio.run(generate()))


def load(address: str, kind: str, amount: float, seconds: float) -> Load:
    """`closed`: so many calls at once; `open`: so many a second."""
    spawn = get_context("spawn")
    results = spawn.Queue()
    process = spawn.Process(target=_run, args=(address, kind, amount, seconds, results), daemon=True)
    process.start()
    done = results.get(timeout=seconds + 2 * TIMEOUT)
    process.join()
    return done
