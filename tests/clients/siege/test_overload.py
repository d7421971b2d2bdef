"""More load than the processors can do: the service does as much as at its peak, and refuses the rest at once."""

from pathlib import Path

import pytest

from harness.process import emulator, make_token
from harness.seeds import ACCOUNT
from harness.siege.figures import Table, milliseconds, quantile
from harness.siege.load import load
from harness.siege.scale import DEFAULTS, IS_FULL
from harness.upstream import serve_known

# The load is made on the same machine, and an overload of two busy processors measures that machine.
pytestmark = pytest.mark.skipif(not IS_FULL, reason="only in tests/soak/run, which sets TAPEGATE_SIEGE=full")

AT_ONCE = 64
TIMES = 4
SECONDS = 30
GOODPUT = 0.9
SLOWER = 2
CREATES_ADMITTED = 0.99
REFUSED_WITHIN = 0.05

# The callers may list tapes, and see none of them: so a list is work for the service, and none for those who make the
# load.
POLICIES = """
permit (principal, action in [TapeGate::Action::"ListTapes", TapeGate::Action::"CreateTapes"], resource);
"""
# The one principal that calls stands for many.
OF_MANY = ["--limits-concurrent-streams=100000", "--limits-attempts-in-flight=1000"]
# As many as the AWS of this test answers at once.
CONNECTIONS = "--upstream-max-connections=16"

TABLE = Table(
    "load", "offered per s", "goodput per s", "lists", "lists p99 ms", "creates", "creates p99 ms", "refusals p99 ms"
)


def row(name: str, offered: float, done):
    ends = [
        f"{len(kind.took)} answered, {len(kind.refused)} refused, {kind.without_end} without an end"
        for kind in (done.lists, done.creates)
    ]
    TABLE.add(
        name,
        f"{offered:.0f}",
        f"{done.goodput:.0f}",
        ends[0],
        milliseconds(done.lists.p99),
        ends[1],
        milliseconds(done.creates.p99),
        milliseconds(quantile(done.refused, 0.99)),
    )


def test_four_times_the_peak_is_answered_like_the_peak(tmp_path: Path):
    file = tmp_path / "emulator.toml"
    file.write_text(f"tapes_per_library = 1000000\nbytes_per_library = {(1 << 63) - 1}\nseed_tapes = 1000\n")
    tokens, policies = tmp_path / "tokens.toml", tmp_path / "policies"
    policies.mkdir()
    (policies / "overload.cedar").write_text(POLICIES)
    token = make_token("everybody", "callers", file=tokens)
    own = [
        f"--auth-tokens-file={tokens}",
        f"--policy-path={policies}",
        f"--account-id={ACCOUNT}",
        *OF_MANY,
        CONNECTIONS,
    ]
    with emulator(f"--config={file}") as aws, serve_known(aws.emulator, *own, env=DEFAULTS) as service:
        peak = load(service.grpc, token, "closed", AT_ONCE, SECONDS)
        row(f"{AT_ONCE} at once", peak.goodput, peak)
        offered = TIMES * peak.goodput
        over = load(service.grpc, token, "open", offered, SECONDS)
        row(f"{TIMES} times the peak", offered, over)
    assert over.goodput > GOODPUT * peak.goodput
    assert over.lists.p99 < SLOWER * peak.lists.p99
    assert len(over.creates.took) > CREATES_ADMITTED * over.creates.total
    assert over.refused and quantile(over.refused, 0.99) < REFUSED_WITHIN
    assert over.lists.without_end == over.creates.without_end == 0
