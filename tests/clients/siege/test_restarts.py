"""Replicas that restart one after the other, under creates and long lists of stock clients with the documented
channel options. No call fails, and no tape is created twice."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from tapegate.v1.tape_service_pb2 import DescribeTapeArchivesRequest, DescribeTapesRequest
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.balancers import BALANCERS
from harness.certificates import NAME as CERTIFIED
from harness.certificates import certificate
from harness.fronts import FRONTS, static_list
from harness.paths import ROOT
from harness.ports import free_address
from harness.process import Tapegate, emulator
from harness.seeds import GATEWAY
from harness.siege.callers import Callers
from harness.siege.figures import Table, quantile
from harness.siege.scale import DEFAULTS, IS_FULL, count, scaled
from harness.upstream import serve

RESTARTS = count("RESTARTS", 2, 100)
BETWEEN = [0.25, 1, 2] if IS_FULL else [0.25]
OUTAGES = [0.5, 5, 30] if IS_FULL else [0.5]
SEEDED = 1500

RESTART_TABLE = Table(
    "before the replicas", "between s", "restarts", "calls", "failed", "tapes made", "told", "slowest s"
)
OUTAGE_TABLE = Table("outage s", "calls", "failed", "p50 s", "slowest s")


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Tapegate]:
    """An emulator whose library takes all tapes."""
    file = tmp_path / "emulator.toml"
    file.write_text(f"tapes_per_library = 1000000\nbytes_per_library = {(1 << 63) - 1}\nseed_tapes = {SEEDED}\n")
    with emulator(f"--config={file}") as running:
        yield running


@dataclass(frozen=True)
class Library:
    """What AWS has, seen by a replica of its own."""

    tapes: list[str]
    archived: int


def library(aws: Tapegate) -> Library:
    with serve(aws.emulator, env=DEFAULTS) as replica, grpc.insecure_channel(replica.grpc) as channel:
        stub = TapeServiceStub(channel)
        pages = stub.DescribeTapes(DescribeTapesRequest(gateway_arn=GATEWAY, limit=1000))
        tapes = [tape.tape_arn for page in pages for tape in page.tapes]
        archives = stub.DescribeTapeArchives(DescribeTapeArchivesRequest(limit=1000))
        return Library(tapes, sum(len(page.tape_archives) for page in archives))


def made_since(before: Library, aws: Tapegate) -> list[str]:
    return list((Counter(library(aws).tapes) - Counter(before.tapes)).elements())


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("front", FRONTS)
def test_rolling_restarts_fail_no_call(aws: Tapegate, tmp_path: Path, front: str, between: float):
    before = library(aws)
    with FRONTS[front](aws.emulator, tmp_path) as site:
        with Callers(site.channel, before.archived) as callers:
            site.replicas.roll(RESTARTS, between)
        told = callers.told
    made = made_since(before, aws)
    RESTART_TABLE.add(
        front,
        between,
        RESTARTS,
        told.ends.total(),
        told.failed or 0,
        len(made),
        len(told.tapes),
        f"{max(told.took):.1f}",
    )
    assert told.failed == {}
    assert sorted(made) == sorted(told.tapes)


@pytest.mark.parametrize("seconds", OUTAGES)
def test_an_outage_of_all_replicas_delays_calls_and_fails_none(aws: Tapegate, tmp_path: Path, seconds: float):
    before = library(aws)
    with static_list(aws.emulator, tmp_path) as site:
        with Callers(site.channel, before.archived) as callers:
            site.replicas.all_gone(seconds)
        told = callers.told
    made = made_since(before, aws)
    waited = [took for took in told.took if took > seconds / 2]
    OUTAGE_TABLE.add(
        seconds, told.ends.total(), told.failed or 0, f"{quantile(waited, 0.5):.1f}", f"{max(told.took):.1f}"
    )
    assert told.failed == {}
    assert sorted(made) == sorted(told.tapes)


@pytest.mark.parametrize("name", BALANCERS)
def test_a_balancer_that_reaches_no_replica_says_unavailable(name: str, tmp_path: Path):
    own = certificate(tmp_path)
    credentials = grpc.ssl_channel_credentials(own.cert.read_bytes())
    options = [("grpc.ssl_target_name_override", CERTIFIED), ("grpc.enable_retries", 0)]
    message = "no answer of a replica of tapegate reached the load balancer"
    with (
        BALANCERS[name](tmp_path, own, free_address()) as address,
        grpc.secure_channel(address, credentials, options=options) as channel,
    ):
        for _ in range(int(scaled(2, 100))):
            with pytest.raises(grpc.RpcError) as caught:
                list(TapeServiceStub(channel).DescribeTapes(DescribeTapesRequest(gateway_arn=GATEWAY), timeout=30))
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
            assert caught.value.details() == message
            assert ("grpc-retry-pushback-ms", "1000") in caught.value.trailing_metadata()
        proto = ["-import-path", ROOT / "proto", "-proto", "tapegate/v1/tape_service.proto"]
        command = ["grpcurl", "-insecure", "-format-error", *proto, address, "tapegate.v1.TapeService/ListTapes"]
        # Go's library looks at the content type too.
        of_go = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert json.loads(of_go.stderr) == {"code": 14, "message": message}
