"""Callers of every kind, good and bad, and an AWS with faults of every kind."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tapegate.v1.tape_service_pb2 import (
    CreateTapesRequest,
    CreateTapeWithBarcodeRequest,
    DescribeTapesRequest,
    ListTapesRequest,
)
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.aws import Control
from harness.seeds import ACCOUNT, GATEWAY, REGION, SIZE, new_token

THREADS = 4
# Between two calls of a caller.
PAUSE = 0.02
# So many calls on a connection.
PER_CONNECTION = 50
DEADLINE = 20.0
# The creates are repeated, so that the library does not grow.
TOKENS = [new_token() for _ in range(50)]
BARCODES = [f"SOAK{number:04}" for number in range(50)]

# Between two changes of the faults.
FAULTS_LAST = 1.0
FAULTS = [
    {"kind": "throttle", "rate": 20, "burst": 5},
    {"kind": "error", "code": "InternalServerError", "share": 0.3},
    {"kind": "error", "nested": "GatewayNotConnected", "share": 0.3},
    {"kind": "bad-gateway", "share": 0.3, "when": "after"},
    {"kind": "reset", "share": 0.3},
    {"kind": "reset", "share": 0.3, "when": "after"},
    {"kind": "hang", "share": 0.05},
    {"kind": "truncated", "share": 0.2},
    {"kind": "malformed", "share": 0.2},
    {"kind": "latency", "min_ms": 0, "max_ms": 300},
    {"kind": "clock-skew", "seconds": -3600},
]


class MixedCalls:
    """Calls until the context ends."""

    def __init__(self, address: str, tokens: Sequence[str], emulator: str, seed: int):
        self._address, self._tokens, self._control = address, tokens, Control(emulator)
        self._random = random.Random(seed)
        self._ended = threading.Event()
        self.ends: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(THREADS)]
        self._threads.append(threading.Thread(target=self._change_faults, daemon=True))

    def _change_faults(self):
        while not self._ended.wait(FAULTS_LAST):
            self._control.clear_faults()
            for fault in self._random.sample(FAULTS, self._random.randrange(3)):
                self._control.add_fault(**fault)
        self._control.clear_faults()

    def _call(self):
        while not self._ended.is_set():
            with grpc.insecure_channel(self._address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
                for _ in range(PER_CONNECTION):
                    if self._ended.wait(PAUSE):
                        return
                    call = self._random.choice(self._calls())
                    try:
                        call(channel)
                        self.ends["OK"] += 1
                    except grpc.RpcError as error:
                        self.ends[error.code().name] += 1

    def _calls(self) -> list[Callable[[grpc.Channel], object]]:
        return [
            self._list,
            self._list,
            self._list_in_part,
            self._create,
            self._create_with_barcode,
            self._describe_unknown,
            self._invalid,
            self._late,
            self._stranger,
            self._unknown_method,
            self._health,
        ]

    def _metadata(self) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {self._random.choice(self._tokens)}")]

    def _options(self, **changes) -> dict:
        return {"metadata": self._metadata(), "timeout": DEADLINE} | changes

    def _list(self, channel: grpc.Channel):
        list(TapeServiceStub(channel).ListTapes(ListTapesRequest(), **self._options()))

    def _list_in_part(self, channel: grpc.Channel):
        pages = TapeServiceStub(channel).ListTapes(ListTapesRequest(limit=10), **self._options())
        next(pages)
        pages.cancel()

    def _create(self, channel: grpc.Channel):
        request = CreateTapesRequest(
            gateway_arn=GATEWAY,
            tape_size_in_bytes=SIZE,
            client_token=self._random.choice(TOKENS),
            num_tapes_to_create=1,
            tape_barcode_prefix="SOAK",
        )
        TapeServiceStub(channel).CreateTapes(request, **self._options())

    def _create_with_barcode(self, channel: grpc.Channel):
        request = CreateTapeWithBarcodeRequest(
            gateway_arn=GATEWAY, tape_size_in_bytes=SIZE, tape_barcode=self._random.choice(BARCODES)
        )
        TapeServiceStub(channel).CreateTapeWithBarcode(request, **self._options())

    def _describe_unknown(self, channel: grpc.Channel):
        arn = f"arn:aws:storagegateway:{REGION}:{ACCOUNT}:tape/X{self._random.randrange(10**9):09}"
        request = DescribeTapesRequest(gateway_arn=GATEWAY, tape_arns=[arn])
        list(TapeServiceStub(channel).DescribeTapes(request, **self._options()))

    def _invalid(self, channel: grpc.Channel):
        request = CreateTapesRequest(gateway_arn=f"{GATEWAY}{self._random.randrange(10**9)}")
        TapeServiceStub(channel).CreateTapes(request, **self._options())

    def _late(self, channel: grpc.Channel):
        list(TapeServiceStub(channel).ListTapes(ListTapesRequest(), **self._options(timeout=0.01)))

    def _stranger(self, channel: grpc.Channel):
        stranger = [("authorization", f"Bearer {self._random.randbytes(32).hex()}")]
        list(TapeServiceStub(channel).ListTapes(ListTapesRequest(), **self._options(metadata=stranger)))

    def _unknown_method(self, channel: grpc.Channel):
        channel.unary_unary(f"/tapegate.v1.TapeService/M{self._random.randrange(10**9)}")(b"", **self._options())

    def _health(self, channel: grpc.Channel):
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        for thread in self._threads:
            thread.join()
