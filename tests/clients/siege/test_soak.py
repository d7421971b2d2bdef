"""Half an hour of calls and faults of every kind: at the end the service holds no more than near the beginning."""

import shutil
import statistics
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from harness.paths import ROOT
from harness.process import emulator, make_token
from harness.seeds import ACCOUNT
from harness.siege.figures import Table
from harness.siege.mixed_calls import MixedCalls
from harness.siege.samples import sample
from harness.siege.scale import DEFAULTS, count, scaled
from harness.upstream import serve_known

SECONDS = count("SOAK_SECONDS", 60, 1800)
PARTS = 10
CALLERS = 20
EVERY = 0.5
# What the last part may hold more than the third one: caches fill up, and a rare error makes new series.
MEGABYTES, SERIES = 8, scaled(2, 1.2)
# What is left when all calls have ended: connections to AWS for the next ones.
TASKS, DESCRIPTORS = 50, 50
ENDS_WITHIN = 60.0
CODES = ["OK", "UNAUTHENTICATED", "UNAVAILABLE", "DEADLINE_EXCEEDED", "INVALID_ARGUMENT", "UNIMPLEMENTED"]
# A busy machine makes half the calls, and a fault that hangs holds all callers: a code may come later.
CODES_WITHIN = 50.0

TABLE = Table("part", "MiB", "descriptors", "tasks", "series")


@dataclass(frozen=True)
class Held:
    megabytes: float
    descriptors: float
    tasks: float
    series: float


def held(pid: int, admin: str) -> Held:
    with urllib.request.urlopen(f"{admin}/metrics") as page:
        lines = [line for line in page.read().decode().splitlines() if not line.startswith("#")]
    (tasks,) = [line.split()[1] for line in lines if line.startswith("tokio_runtime_alive_tasks")]
    now = sample(pid)
    return Held(now.megabytes, now.descriptors, float(tasks), len(lines))


def median(samples: list[Held]) -> Held:
    names = Held.__dataclass_fields__
    return Held(*(statistics.median(getattr(one, name) for one in samples) for name in names))


def part(pid: int, admin: str, seconds: float) -> Held:
    """What it held in this time."""
    samples, ends = [], time.monotonic() + seconds
    while time.monotonic() < ends:
        samples.append(held(pid, admin))
        time.sleep(EVERY)
    return median(samples)


def row(name: object, now: Held):
    TABLE.add(name, f"{now.megabytes:.1f}", f"{now.descriptors:.0f}", f"{now.tasks:.0f}", f"{now.series:.0f}")


def test_the_service_holds_no_more_after_a_long_time_with_faults(tmp_path: Path):
    tokens, policies = tmp_path / "tokens.toml", tmp_path / "policies"
    callers = [make_token(f"agent-{number}", "tape-operators", file=tokens) for number in range(CALLERS)]
    shutil.copytree(ROOT / "deploy" / "policies", policies)
    with (
        emulator("--seed-tapes=1000") as aws,
        serve_known(
            aws.emulator,
            f"--account-id={ACCOUNT}",
            f"--auth-tokens-file={tokens}",
            f"--policy-path={policies}",
            f"--audit-file={tmp_path / 'audit.jsonl'}",
            "--log-filter=warn",
            env=DEFAULTS,
        ) as service,
    ):
        idle = held(service.pid, service.admin)
        row("idle", idle)
        with MixedCalls(service.grpc, callers, aws.emulator, seed=1) as calls:
            parts = []
            for number in range(PARTS):
                parts.append(part(service.pid, service.admin, SECONDS / PARTS))
                row(number + 1, parts[-1])
            began = time.monotonic()
            while missing := [code for code in CODES if not calls.ends[code]]:
                assert time.monotonic() < began + CODES_WITHIN, f"no {missing} in {calls.ends}"
                time.sleep(EVERY)
        ended = time.monotonic()
        while (after := held(service.pid, service.admin)).tasks > idle.tasks + TASKS:
            assert time.monotonic() < ended + ENDS_WITHIN, after
            time.sleep(EVERY)
        row("after", after)
        print(f"{SECONDS} s: {dict(calls.ends)}")
    early, late = parts[2], parts[-1]
    assert late.megabytes < early.megabytes + MEGABYTES
    assert late.series < SERIES * early.series
    assert after.descriptors < idle.descriptors + DESCRIPTORS
