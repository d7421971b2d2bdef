"""Many lists at once, and how each ends at its caller."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status.rpc_status import GRPC_DETAILS_METADATA_KEY
from tapegate.v1.tape_service_pb2 import ListTapesRequest
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.certificates import NAME

TAPES, PER_PAGE = 1200, 100
WHOLE, SHORT = "whole", "short and OK"
# The server has not begun with the call (RFC 9113, section 8.7), so the client can make it again.
REFUSED_STREAM = "REFUSED_STREAM"
CHANNELS = 2
# grpcio wants one loop for the whole process.
LOOP = asyncio.new_event_loop()


def reason(error: grpc.aio.AioRpcError) -> str:
    """What the service says of an error; empty if something else ended the call."""
    for name, value in error.trailing_metadata() or ():
        if name == GRPC_DETAILS_METADATA_KEY:
            for detail in Status.FromString(value).details:
                info = ErrorInfo()
                if detail.Unpack(info):
                    return info.reason
    return ""


@dataclass(frozen=True)
class Target:
    """Where to call; with a certificate authority, over TLS."""

    address: str
    ca: Path | None = None

    def channel(self) -> grpc.aio.Channel:
        own = ("grpc.use_local_subchannel_pool", 1)
        if self.ca is None:
            return grpc.aio.insecure_channel(self.address, options=[own])
        name = ("grpc.ssl_target_name_override", NAME)
        return grpc.aio.secure_channel(
            self.address, grpc.ssl_channel_credentials(self.ca.read_bytes()), options=[own, name]
        )


async def ended(pages: grpc.aio.UnaryStreamCall) -> str:
    """How a list ends."""
    seen = 0
    try:
        async for page in pages:
            seen += len(page.tape_infos)
    except grpc.aio.AioRpcError as error:
        if "RST_STREAM with error code 7" in (error.details() or ""):
            return REFUSED_STREAM
        return reason(error) or f"{error.code().name} {error.details()}"
    return WHOLE if seen == TAPES else SHORT


def stubs(channels: Sequence[grpc.aio.Channel]) -> list[TapeServiceStub]:
    return [TapeServiceStub(channel) for channel in channels]


async def _together(target: Target, count: int, stop: Callable[[], None], delay: float) -> Counter:
    channels = [target.channel() for _ in range(CHANNELS)]
    begun = 0
    all_begun = asyncio.Event()

    async def read(stub: TapeServiceStub) -> str:
        nonlocal begun
        pages = stub.ListTapes(ListTapesRequest(limit=PER_PAGE), timeout=60)
        # Until all have begun, flow control holds the pages.
        await pages.initial_metadata()
        begun += 1
        if begun == count:
            all_begun.set()
        await all_begun.wait()
        return await ended(pages)

    lists = [asyncio.create_task(read(stub)) for stub in stubs(channels) for _ in range(count // CHANNELS)]
    await all_begun.wait()
    await asyncio.sleep(delay)
    stop()
    ends = Counter(await asyncio.gather(*lists))
    for channel in channels:
        await channel.close()
    return ends


def together(target: Target, count: int, stop: Callable[[], None], delay: float) -> Counter:
    """Begins so many lists, calls `stop` when all have begun and the delay has passed, and reads them to their ends."""
    return LOOP.run_until_complete(_together(target, count, stop, delay))


async def _over_and_over(target: Target, count: int, seconds: float) -> Counter:
    channels = [target.channel() for _ in range(CHANNELS)]
    ends, until = Counter(), asyncio.get_running_loop().time() + seconds

    async def read(stub: TapeServiceStub):
        while asyncio.get_running_loop().time() < until:
            ends[await ended(stub.ListTapes(ListTapesRequest(limit=PER_PAGE), timeout=60))] += 1

    await asyncio.gather(*(read(stub) for stub in stubs(channels) for _ in range(count // CHANNELS)))
    for channel in channels:
        await channel.close()
    return ends


def over_and_over(target: Target, count: int, seconds: float) -> Counter:
    """Lists one after the other, so many at the same time."""
    return LOOP.run_until_complete(_over_and_over(target, count, seconds))
