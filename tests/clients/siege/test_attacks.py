"""Attacks, each beside well-behaved clients, which must not notice it."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.paths import ROOT
from harness.process import Tapegate, dev, make_token
from harness.seeds import ACCOUNT
from harness.siege.attacks import ATTACKS, Attack, Attacker
from harness.siege.figures import Table, milliseconds
from harness.siege.neighbour import Neighbours, Place
from harness.siege.samples import Sampler, sample
from harness.siege.scale import DEFAULTS, IS_FULL, scaled

SECONDS = scaled(1.5, 10)
# How many times longer than without an attack the slowest hundredth of the calls may take, in full.
SLOWER = 5
# On a busy machine, with a development build.
SLOWEST = 2.0
PROBE_WITHIN = scaled(2.0, 0.1)
RELEASED_WITHIN = 10.0
# What an attack may take, and what may stay of it: allocators keep some.
MEGABYTES = {"unread_lists": 400}
OTHERWISE = 128
STAY = 64
STRANGERS_MEGABYTES = 1.0

TABLE = Table(
    "attack", "done", "p99 quiet ms", "p99 ms", "connecting p99 ms", "/livez ms", "failed", "MiB", "fds", "released s"
)


@dataclass(frozen=True)
class Site:
    """A service that knows its callers by tokens."""

    service: Tapegate
    attacker: str
    neighbour: str
    audit: Path

    def place(self) -> Place:
        return Place(self.service.grpc, self.service.admin, self.neighbour)

    def attack(self) -> Attack:
        admin = self.service.addresses["admin"]
        return Attack(self.service.grpc, admin, self.attacker, SECONDS, scaled(0.1, 1))


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    tokens, audit = folder / "tokens.toml", folder / "audit.jsonl"
    attacker, neighbour = (make_token(name, "tape-operators", file=tokens) for name in ("attacker", "neighbour"))
    policies = folder / "policies"
    shutil.copytree(ROOT / "deploy" / "policies", policies)
    arguments = [f"--auth-tokens-file={tokens}", f"--policy-path={policies}", f"--account-id={ACCOUNT}"]
    with dev(*arguments, f"--audit-file={audit}", env=DEFAULTS | {"TAPEGATE_EMULATOR_SEED_TAPES": "3000"}) as service:
        yield Site(service, attacker, neighbour, audit)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("siege")) as running:
        yield running


@pytest.fixture(scope="module")
def quiet(attacked: Site) -> float:
    """The p99 of the neighbour without an attack."""
    return Neighbours(attacked.place(), 2 * SECONDS).seen(60).calls.p99


@pytest.mark.parametrize("name", ATTACKS)
def test_neighbours_do_not_notice_an_attack(attacked: Site, quiet: float, name: str):
    pid = attacked.service.pid
    before = sample(pid)
    with Sampler(pid) as sampler:
        attacker = Attacker(name, attacked.attack())
        seen = Neighbours(attacked.place(), SECONDS).seen(SECONDS + 60)
        done = attacker.done(SECONDS + 60)
    ended = time.monotonic()
    while (now := sample(pid)).descriptors > before.descriptors and time.monotonic() < ended + RELEASED_WITHIN:
        time.sleep(0.05)
    released = time.monotonic() - ended
    figures = [milliseconds(time) for time in (quiet, seen.calls.p99, seen.connects.p99, seen.probes.longest)]
    what = f"{done.connections} opened, {done.refused} ended, {done.megabytes:.0f} MB"
    memory = f"{before.megabytes:.0f}, {sampler.most.megabytes:.0f}, {now.megabytes:.0f}"
    TABLE.add(name, what, *figures, len(seen.failed), memory, sampler.most.descriptors, f"{released:.1f}")
    assert seen.failed == []
    assert seen.calls.p99 < (SLOWER * quiet if IS_FULL else SLOWEST)
    assert seen.probes.longest < PROBE_WITHIN
    assert sampler.most.megabytes - before.megabytes < MEGABYTES.get(name, OTHERWISE)
    assert now.megabytes - before.megabytes < STAY
    assert now.descriptors <= before.descriptors
