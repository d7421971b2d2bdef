"""Connections that end while lists are on them: no answer that the service has given is lost."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from harness.balancers import BALANCERS
from harness.certificates import certificate
from harness.ports import free_address
from harness.process import Tapegate, dev
from harness.siege.figures import Table
from harness.siege.lists import REFUSED_STREAM, SHORT, TAPES, WHOLE, Target, over_and_over, together
from harness.siege.scale import DEFAULTS, count

DRAINS = count("DRAINS", 1, 100)
AGES = count("AGES", 2, 100)
LISTS = count("LISTS", 60, 200)
# The latest that a drain begins after the lists.
DELAY = 0.3
# What the service says of a call that it ends or rejects itself.
OWN = {"SHUTTING_DOWN", "CONNECTION_AGE", "OVERLOADED"}

TABLE = Table("way", "ends", "lists", "whole at the client", "OK at the service", "lost", "ends with a reason")


@dataclass(frozen=True)
class Way:
    """A service at a fixed address, and where its callers call."""

    listen: str
    flags: list[str]
    target: Target

    def start(self, *arguments: str) -> Tapegate:
        env = DEFAULTS | {"TAPEGATE_EMULATOR_SEED_TAPES": str(TAPES), "TAPEGATE_LOG_FORMAT": "json"}
        return dev(*self.flags, *arguments, listen=self.listen, env=env)


@pytest.fixture(params=["plain", "tls", *BALANCERS], scope="module")
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    listen, folder = free_address(), tmp_path_factory.mktemp(request.param)
    if request.param == "plain":
        yield Way(listen, [], Target(listen))
        return
    own = certificate(folder)
    flags, address = own.flags(), listen
    with ExitStack() as stack:
        if request.param in BALANCERS:
            address = stack.enter_context(BALANCERS[request.param](folder, own, listen))
            # As deploy/ says. Otherwise the proxy waits, as one address that opens many connections.
            config = folder / "tapegate.toml"
            config.write_text('trusted_proxies = ["127.0.0.1/32"]\n')
            flags += ["--config", str(config)]
        yield Way(listen, flags, Target(address, own.cert))


def given(service: Tapegate) -> int:
    """How many lists the service counts as answered, once it has ended."""
    lines = [json.loads(line) for line in service.stderr.all() if '"call ended"' in line]
    return sum(line["code"] == "OK" for line in lines)


def judge(way: str, ends: str, seen: Counter, ok: int):
    lost = ok - seen[WHOLE]
    others = {end: times for end, times in seen.items() if end not in (WHOLE, SHORT)}
    TABLE.add(way, ends, seen.total(), seen[WHOLE], ok, lost, others or "")
    assert seen[SHORT] == 0
    assert lost == 0
    # HAProxy says so of calls that it has sent after the last one that the service took.
    of_balancer = {REFUSED_STREAM} if way == "haproxy" else set()
    assert set(others) <= OWN | of_balancer


def test_no_answer_is_lost_when_a_replica_drains(way: Way, request: pytest.FixtureRequest):
    seen, ok = Counter(), 0
    for _ in range(DRAINS):
        with way.start() as service:
            seen += together(way.target, LISTS, service.ask_to_end, random.uniform(0, DELAY))
            assert service.wait() == 0
            ok += given(service)
    judge(request.node.callspec.params["way"], f"{DRAINS} drains", seen, ok)


def test_no_answer_is_lost_when_a_connection_reaches_its_age(way: Way, request: pytest.FixtureRequest):
    with way.start("--max-connection-age=1s") as service:
        seen = over_and_over(way.target, LISTS, AGES)
    judge(request.node.callspec.params["way"], f"{AGES} ages", seen, given(service))
