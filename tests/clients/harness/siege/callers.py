"""Backup agents with the documented channel options, which create tapes and read long lists."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc
from tapegate.v1.tape_service_pb2 import (
    CreateTapesRequest,
    CreateTapeWithBarcodeRequest,
    DescribeTapeArchivesRequest,
)
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.details import error_info
from harness.seeds import GATEWAY, SIZE, new_barcode, new_token

CREATORS, READERS = 4, 2
# Between two calls, and between two pages of a list.
PAUSE = 0.02
PER_PAGE = 50


@dataclass
class Told:
    """What the callers were told."""

    tapes: list[str] = field(default_factory=list)
    ends: Counter = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)

    @property
    def failed(self) -> dict[str, int]:
        return {end: times for end, times in self.ends.items() if end != "OK"}


class Callers:
    """Callers that call until the context ends."""

    def __init__(self, channel: Callable[[], grpc.Channel], archived: int):
        self._channel, self._archived = channel, archived
        self._ended = threading.Event()
        self.told = Told()
        calls = [self._create] * (CREATORS // 2) + [self._create_with_barcode] * (CREATORS // 2)
        calls += [self._read] * READERS
        self._threads = [threading.Thread(target=self._call, args=(call,), daemon=True) for call in calls]

    def _create(self, stub: TapeServiceStub):
        request = CreateTapesRequest(
            gateway_arn=GATEWAY,
            tape_size_in_bytes=SIZE,
            client_token=new_token(),
            num_tapes_to_create=1,
            tape_barcode_prefix="SIEG",
        )
        self.told.tapes.extend(stub.CreateTapes(request).tape_arns)

    def _create_with_barcode(self, stub: TapeServiceStub):
        request = CreateTapeWithBarcodeRequest(gateway_arn=GATEWAY, tape_size_in_bytes=SIZE, tape_barcode=new_barcode())
        self.told.tapes.append(stub.CreateTapeWithBarcode(request).tape_arn)

    def _read(self, stub: TapeServiceStub):
        """Slowly, so that a restart meets lists that have begun."""
        seen = 0
        for page in stub.DescribeTapeArchives(DescribeTapeArchivesRequest(limit=PER_PAGE)):
            seen += len(page.tape_archives)
            time.sleep(PAUSE)
        assert seen == self._archived, f"a list of {seen} tapes ended with OK"

    def _call(self, call: Callable[[TapeServiceStub], None]):
        with self._channel() as channel:
            stub = TapeServiceStub(channel)
            while not self._ended.wait(PAUSE):
                began = time.monotonic()
                try:
                    call(stub)
                    end = "OK"
                except grpc.RpcError as error:
                    end = f"{error.code().name} {error_info(error).reason or error.details()}"
                except AssertionError as error:
                    end = str(error)
                self.told.took.append(time.monotonic() - began)
                self.told.ends[end] += 1

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        """Waits for the calls in progress."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
