"""Attacks beside well-behaved clients, which must not notice them."""

import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from tapegate.v1.tape_service_pb2 import DescribeTapesRequest, ListTapesRequest
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.balancers import BALANCERS
from harness.certificates import NAME, certificate
from harness.details import error_info
from harness.paths import ROOT
from harness.process import Tapegate, emulator, make_token
from harness.seeds import ACCOUNT, GATEWAY
from harness.siege.attacks import ATTACKS, Attack, Attacker
from harness.siege.figures import Table, milliseconds
from harness.siege.neighbour import Neighbour, Neighbours, Place
from harness.siege.samples import Sample, Sampler, sample
from harness.siege.scale import DEFAULTS, IS_FULL, scaled
from harness.upstream import serve_known

SECONDS = scaled(0.7, 10)
# One after the other beside the same neighbours, or each alone.
RUNS = [[name] for name in ATTACKS] if IS_FULL else [list(ATTACKS)]
# How many times as long as without an attack the slowest hundredth of the calls may take, in full.
SLOWER = 5
# The same on a busy machine, with a development build.
SLOWEST = 5.0
PROBED_WITHIN = scaled(5.0, 0.1)
RELEASED_WITHIN = 10.0
# The memory that an attack may take. Of the responses that are not read, max_unread_bytes are kept.
MEGABYTES = {"unread_lists": 400}
OTHERWISE = 128
# Connections to AWS stay open for the next call.
KEPT = 100
# What strangers may write to the audit and to the log.
WRITTEN = 1_000_000

TABLE = Table(
    "attack",
    "opened, ended, MB",
    "p99 ms: quiet, calls, connects",
    "/livez ms",
    "calls failed",
    "MiB: before, most, after",
    "descriptors",
    "s until released",
)


@dataclass(frozen=True)
class Site:
    """A service that knows its callers by tokens."""

    service: Tapegate
    attacker: str
    neighbour: str
    audit: Path
    ca: bytes | None = None

    def neighbours(self, seconds: float) -> Neighbours:
        return Neighbours(Place(self.service.grpc, self.service.admin, self.neighbour, self.ca), seconds)

    def attack(self, names: list[str]) -> Attacker:
        admin = self.service.addresses["admin"]
        return Attacker(names, Attack(self.service.grpc, admin, self.attacker, SECONDS, scaled(0.05, 1)))

    def written(self) -> int:
        """The bytes of log and audit."""
        return len(str(self.service.stderr)) + self.audit.stat().st_size


@contextmanager
def site(folder: Path, *more: str, ca: Path | None = None) -> Iterator[Site]:
    tokens, audit = folder / "tokens.toml", folder / "audit.jsonl"
    attacker, neighbour = (make_token(name, "tape-operators", file=tokens) for name in ("attacker", "neighbour"))
    policies = folder / "policies"
    shutil.copytree(ROOT / "deploy" / "policies", policies)
    with (
        emulator("--seed-tapes=3000") as aws,
        serve_known(
            aws.emulator,
            f"--account-id={ACCOUNT}",
            f"--auth-tokens-file={tokens}",
            f"--policy-path={policies}",
            f"--audit-file={audit}",
            *more,
            env=DEFAULTS,
        ) as service,
    ):
        yield Site(service, attacker, neighbour, audit, ca.read_bytes() if ca else None)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("siege")) as running:
        yield running


def released(pid: int, before: Sample) -> tuple[Sample, float]:
    """A sample when the descriptors are free again, and how long that took."""
    began = time.monotonic()
    while (now := sample(pid)).descriptors > before.descriptors + KEPT:
        if time.monotonic() > began + RELEASED_WITHIN:
            break
        time.sleep(0.05)
    return now, time.monotonic() - began


def quiet(site: Site) -> float:
    """The p99 of the neighbour without an attack."""
    return site.neighbours(scaled(1, 10)).seen(60).calls.p99


def beside(site: Site, names: list[str], quietly: float) -> Neighbour:
    """Attacks, judges what they took, and returns what the neighbours saw."""
    pid = site.service.pid
    before = sample(pid)
    seconds = len(names) * SECONDS
    with Sampler(pid) as sampler:
        attacker = site.attack(names)
        seen = site.neighbours(seconds + 1).seen(seconds + 60)
        done = attacker.done(seconds + 60)
    after, took = released(pid, before)
    what = [sum(getattr(one, name) for one in done.values()) for name in ("connections", "refused", "megabytes")]
    p99s = [quietly, seen.calls.p99, seen.connects.p99]
    TABLE.add(
        ", ".join(names),
        ", ".join(f"{amount:.0f}" for amount in what),
        ", ".join(map(milliseconds, p99s)),
        milliseconds(seen.probes.longest),
        f"{len(seen.failed)} of {seen.total}",
        ", ".join(f"{each.megabytes:.0f}" for each in (before, sampler.most, after)),
        sampler.most.descriptors,
        f"{took:.1f}",
    )
    assert seen.failed == []
    assert seen.calls.p99 < (SLOWER * quietly if IS_FULL else SLOWEST)
    assert seen.probes.longest < PROBED_WITHIN
    assert sampler.most.megabytes - before.megabytes < max(MEGABYTES.get(name, OTHERWISE) for name in names)
    assert after.megabytes - before.megabytes < OTHERWISE
    assert after.descriptors <= before.descriptors + KEPT
    return seen


@pytest.mark.parametrize("names", RUNS, ids=lambda names: names[0] if IS_FULL else "all")
def test_neighbours_do_not_notice_an_attack(plain: Site, names: list[str]):
    beside(plain, names, quiet(plain))


def test_neighbours_do_not_notice_slow_handshakes(tmp_path: Path):
    own = certificate(tmp_path)
    with site(tmp_path, *own.flags(), ca=own.cert) as over_tls:
        beside(over_tls, ["slow_handshakes"], quiet(over_tls))


def test_strangers_do_not_fill_the_disk(plain: Site):
    before = plain.written()
    done = plain.attack(["strangers"]).done(60)
    TABLE.add("strangers", f"{done['strangers'].megabytes:.1f} MB", "", "", "", f"{plain.written() - before} B written")
    assert plain.written() - before < WRITTEN


@contextmanager
def limit_of_open_files(count: int) -> Iterator[None]:
    """For the processes that are started in the context."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_neighbours_do_not_notice_that_descriptors_run_short(tmp_path: Path):
    with limit_of_open_files(400), site(tmp_path) as short:
        quietly = quiet(short)
        beside(short, ["idle_connections"], quietly)


def test_a_client_that_cancels_ends_no_call_of_its_neighbour(plain: Site):
    """Both on the connection of one proxy."""
    metadata = [("authorization", f"Bearer {plain.neighbour}")]
    with grpc.insecure_channel(plain.service.grpc) as channel:
        stub = TapeServiceStub(channel)
        for _ in range(int(scaled(10, 200))):
            for call in [stub.ListTapes(ListTapesRequest(), metadata=metadata) for _ in range(25)]:
                call.cancel()
            list(stub.ListTapes(ListTapesRequest(max_items=1), metadata=metadata, timeout=30))


@pytest.mark.parametrize("name", BALANCERS)
def test_the_refusal_of_a_large_request_passes_a_balancer(name: str, tmp_path: Path):
    own = certificate(tmp_path)
    with (
        site(tmp_path, *own.flags()) as refusing,
        BALANCERS[name](tmp_path, own, refusing.service.grpc) as address,
        grpc.secure_channel(
            address,
            grpc.ssl_channel_credentials(own.cert.read_bytes()),
            options=[("grpc.ssl_target_name_override", NAME)],
        ) as channel,
    ):
        large = DescribeTapesRequest(gateway_arn=GATEWAY, tape_arns=["a" * 900] * 1000)
        for _ in range(int(scaled(5, 100))):
            with pytest.raises(grpc.RpcError) as caught:
                list(TapeServiceStub(channel).DescribeTapes(large, timeout=30))
            assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED, caught.value
            assert error_info(caught.value).reason
