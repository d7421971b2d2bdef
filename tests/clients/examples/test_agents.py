"""The example agents against a service with TLS, a token and policies, and against what can happen to their calls."""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from examples.conftest import Program, Site
from harness import aws
from harness.certificates import Certificate
from harness.eventually import wait_until
from harness.paths import ROOT, SERVICE_CONFIG
from harness.ports import free_address
from harness.process import Lines, Tapegate, check_for_secrets, dev, emulator, environment
from harness.relay import CuttingRelay
from harness.seeds import GATEWAY, tape_arn
from harness.upstream import ScriptedUpstream, serve_known

# For what takes seconds on an idle machine.
ENDS_WITHIN = 60.0
# One attempt of the service for each call: what it gets is what the agent gets.
ONCE = "--retry-attempts=1"


class Agent:
    """A running agent."""

    def __init__(self, command: list[str], env: dict[str, str]):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        self.stdout = Lines(self.process.stdout)
        self.stderr = Lines(self.process.stderr)

    def end(self, code: int = 0) -> list[str]:
        """Its lines on stdout, once it has ended with this code."""
        ended = self.process.wait(ENDS_WITHIN)
        lines = self.stdout.all()
        said = "\n".join([*lines, *self.stderr.all()])
        check_for_secrets(said)
        assert ended == code, f"exit code {ended}\n{said}"
        return lines


@dataclass(frozen=True)
class Agents:
    """Starts the agent of one language against one address."""

    program: Program
    site: Site
    address: str
    pending: Path
    running: ExitStack

    def start(self, *arguments: str) -> Agent:
        env = {
            "TAPEGATE_ADDRESS": self.address,
            "TAPEGATE_CA": str(self.site.own.cert),
            "TAPEGATE_TOKEN_FILE": str(self.site.token_file),
            "TAPEGATE_SERVICE_CONFIG": str(SERVICE_CONFIG),
        }
        agent = Agent([*self.program.command, *arguments], environment(env | self.program.env))
        self.running.callback(agent.process.wait)
        self.running.callback(agent.process.kill)
        return agent

    def create_tapes(self, prefix: str = "BCK", count: int = 3, *more: str) -> Agent:
        return self.start(
            "create",
            f"--gateway={GATEWAY}",
            f"--prefix={prefix}",
            f"--count={count}",
            "--gib=100",
            "--pool=GLACIER",
            f"--pending={self.pending}",
            *more,
        )

    def list_tapes(self, *more: str) -> Agent:
        return self.start("list", *more)

    def reported(self, ended: list[str]) -> list[str]:
        """The tapes that a create has reported, in sorted order. Its request is no longer pending then."""
        (line,) = ended
        assert not self.pending.exists()
        return sorted(json.loads(line)["tapes"])


@pytest.fixture
def agents(program: Program, site: Site, tmp_path: Path) -> Iterator[Callable[[str], Agents]]:
    """Makes agents that call this address. Those that are left at the end of a test are killed."""
    with ExitStack() as running:
        yield lambda address: Agents(program, site, address, tmp_path / "pending.json", running)


def tapes(endpoint: str) -> list[dict]:
    pages = aws.unjudged_client(endpoint).get_paginator("list_tapes").paginate()
    return [tape for page in pages for tape in page["TapeInfos"]]


def made(endpoint: str) -> list[str]:
    """The ARNs of the tapes that agents have created, in sorted order."""
    return sorted(tape["TapeARN"] for tape in tapes(endpoint) if tape["TapeBarcode"].startswith("BCK"))


@pytest.mark.parametrize(
    ("language", "source", "first", "last"),
    [
        ("python", "python/tapegate_client.py", '("grpc.keepalive_time_ms"', "]"),
        ("go", "go/client.go", "grpc.WithKeepaliveParams", ")"),
        ("java", "java/src/main/java/com/example/agent/TapegateClient.java", ".keepAliveTime(", ".build"),
        ("typescript", "node/src/tapegate-client.ts", '"grpc.keepalive_time_ms"', "}"),
    ],
)
def test_its_channel_options_are_the_documented_ones(language: str, source: str, first: str, last: str):
    page = (ROOT / "docs" / "service-config.md").read_text()
    example = page.split(f"```{language}\n")[1].split("```")[0]
    documented = example[example.index(first) : example.rindex(last)]
    written = (ROOT / "examples" / source).read_text()
    assert "".join(documented.split()) in "".join(written.split())


def test_it_creates_tapes_and_lists_all(agents, site: Site, tmp_path: Path):
    slow = tmp_path / "emulator.toml"
    slow.write_text('creating_time = "1500ms"\n')
    flags = [f"--emulator-config={slow}", "--emulator-seed-tapes=120"]
    with dev(*site.flags(), *flags) as service:
        agent = agents(service.grpc)
        reported = agent.reported(agent.create_tapes().end())
        there = tapes(service.emulator)
        created = [tape for tape in there if tape["TapeARN"] in reported]
        assert [(tape["TapeStatus"], tape["PoolId"]) for tape in created] == [("AVAILABLE", "GLACIER")] * 3
        assert reported == made(service.emulator)
        assert Counter(agent.list_tapes().end()) == Counter(tape["TapeARN"] for tape in there)


def test_a_create_whose_answers_are_lost_makes_the_tapes_once(agents, site: Site):
    with dev(*site.flags(), ONCE) as service:
        faults = aws.Control(service.emulator)
        # More than the library repeats.
        faults.add_fault(kind="reset", when="after", operations=["CreateTapes"], calls=4)
        agent = agents(service.grpc)
        reported = agent.reported(agent.create_tapes().end())
        assert faults.hits() == 4
        assert len(reported) == 3 and reported == made(service.emulator)


def test_it_waits_while_aws_throttles(agents, site: Site):
    with dev(*site.flags(), ONCE, "--emulator-seed-tapes=20") as service:
        faults = aws.Control(service.emulator)
        throttle = {"kind": "error", "code": "ThrottlingException", "calls": 3}
        agent = agents(service.grpc)
        faults.add_fault(operations=["CreateTapes"], **throttle)
        reported = agent.reported(agent.create_tapes().end())
        assert faults.hits() == 3
        assert len(reported) == 3 and reported == made(service.emulator)
        faults.clear_faults()
        faults.add_fault(operations=["ListTapes"], **throttle)
        listed = agent.list_tapes().end()
        assert faults.hits() == 3
        assert Counter(listed) == Counter(tape["TapeARN"] for tape in tapes(service.emulator))


def test_a_list_whose_connections_break_has_each_tape_once(agents, site: Site):
    flags = ["--emulator-seed-tapes=1004", ONCE]
    # Each connection passes a page or two.
    with dev(*site.flags(), *flags) as service, CuttingRelay(service.grpc, cuts=4, after=24_000) as relay:
        faults = aws.Control(service.emulator)
        faults.add_fault(kind="latency", min_ms=100, operations=["ListTapes"])
        listed = agents(relay.address).list_tapes().end()
        faults.clear_faults()
        assert relay.cuts_left == 0
        there = tapes(service.emulator)
        assert len(there) >= 1000
        assert Counter(listed) == Counter(tape["TapeARN"] for tape in there)


def test_a_tape_that_moves_meanwhile_is_listed_once(agents, site: Site):
    def page(*barcodes: str, **more: str) -> tuple[int, dict]:
        return 200, {"TapeInfos": [{"TapeARN": tape_arn(barcode)} for barcode in barcodes], **more}

    pages = page("TST000001", "TST000002", Marker="next"), page("TST000002", "TST000003")
    with ScriptedUpstream(*pages) as upstream, serve_known(upstream.endpoint, *site.flags()) as service:
        listed = agents(service.grpc).list_tapes().end()
        assert Counter(listed) == Counter(tape_arn(f"TST00000{number}") for number in [1, 2, 3])


@contextmanager
def restarting(site: Site, *flags: str) -> Iterator[tuple[Tapegate, str, "Restart"]]:
    """An emulator, the address of the service before it, and that which kills the service and starts it again."""
    address = free_address()
    with emulator(*flags) as behind, Restart(behind, address, site) as restart:
        yield behind, address, restart


class Restart:
    def __init__(self, behind: Tapegate, address: str, site: Site):
        self._start = lambda: serve_known(behind.emulator, *site.flags(), listen=address)
        self._running = self._start()

    def __call__(self):
        self._running.kill()
        time.sleep(1)
        self._running = self._start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._running.__exit__(*error)


def test_a_create_survives_a_restart_of_the_service(agents, site: Site):
    with restarting(site) as (behind, address, restart):
        faults = aws.Control(behind.emulator)
        faults.add_fault(kind="latency", min_ms=1000, when="after", operations=["CreateTapes"], calls=1)
        agent = agents(address)
        running = agent.create_tapes()
        wait_until(lambda: faults.hits() == 1)
        restart()
        reported = agent.reported(running.end())
        assert len(reported) == 3 and reported == made(behind.emulator)


def test_a_list_survives_a_restart_of_the_service(agents, site: Site):
    with restarting(site, "--seed-tapes=1004") as (behind, address, restart):
        faults = aws.Control(behind.emulator)
        faults.add_fault(kind="latency", min_ms=200, operations=["ListTapes"])
        running = agents(address).list_tapes()
        # Half of the list.
        wait_until(lambda: str(running.stdout).count("\n") > 500)
        restart()
        listed = running.end()
        # It has resumed there: of the 11 pages, only those that were on their way came again.
        assert faults.hits() <= 14
        faults.clear_faults()
        assert Counter(listed) == Counter(tape["TapeARN"] for tape in tapes(behind.emulator))


def test_an_agent_that_was_killed_does_not_create_twice(agents, site: Site):
    with dev(*site.flags()) as service:
        faults = aws.Control(service.emulator)
        faults.add_fault(kind="latency", min_ms=2000, operations=["CreateTapes"], calls=1)
        agent = agents(service.grpc)
        killed = agent.create_tapes()
        wait_until(lambda: faults.hits() == 1)
        killed.process.kill()
        assert killed.end(-9) == []
        assert agent.pending.exists()
        reported = agent.reported(agent.create_tapes().end())
        # The first request ends as well.
        time.sleep(2)
        assert len(reported) == 3 and reported == made(service.emulator)


def test_a_wrong_request_ends_with_every_mistake(agents, site: Site):
    with dev(*site.flags()) as service:
        agent = agents(service.grpc)
        running = agent.create_tapes("toolong1", 11)
        assert running.end(1) == []
        said = "\n".join(running.stderr.all())
        assert "num_tapes_to_create" in said and "tape_barcode_prefix" in said
        assert "INVALID_REQUEST" in said
        assert not agent.pending.exists()


class OtherServer(grpc.GenericRpcHandler):
    """A gRPC server in place of the service. It ends each call with one code, without details, and counts them."""

    def __init__(self, code: grpc.StatusCode, own: Certificate):
        self.calls = 0
        self._code = code
        self._server = grpc.server(ThreadPoolExecutor(), handlers=[self])
        credentials = grpc.ssl_server_credentials([(own.key.read_bytes(), own.cert.read_bytes())])
        self.address = f"127.0.0.1:{self._server.add_secure_port('127.0.0.1:0', credentials)}"

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        self.calls += 1
        return grpc.unary_unary_rpc_method_handler(lambda _, context: context.abort(self._code, "not here"))

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *error):
        self._server.stop(None).wait()


@pytest.mark.parametrize(
    "code", ["UNIMPLEMENTED", "PERMISSION_DENIED", "UNAUTHENTICATED", "INVALID_ARGUMENT", "NOT_FOUND"]
)
def test_an_error_of_another_server_ends_it_if_the_same_call_fails_again(agents, site: Site, code: str):
    with OtherServer(grpc.StatusCode[code], site.own) as server:
        agent = agents(server.address)
        for calls, start in enumerate([agent.create_tapes, agent.list_tapes], start=1):
            running = start()
            assert running.end(1) == []
            said = "\n".join(running.stderr.all())
            assert code.replace("_", "") in said.upper().replace("_", "")
            assert "not here" in said and "not from" in said
            assert server.calls == calls
        # Nobody knows what became of the create.
        assert agent.pending.exists()


def test_other_errors_of_a_proxy_are_repeated(agents, site: Site):
    with OtherServer(grpc.StatusCode.INTERNAL, site.own) as server:
        running = agents(server.address).list_tapes("--give-up=3")
        assert running.end(2) == []
        assert server.calls > 1


def test_without_a_service_it_says_what_to_do(agents):
    agent = agents(free_address())
    began = time.monotonic()
    both = [agent.create_tapes("BCK", 3, "--give-up=3"), agent.list_tapes("--give-up=3")]
    for running in both:
        assert running.end(2) == []
        assert "run the same command again" in "\n".join(running.stderr.all())
    assert time.monotonic() - began < 10
    assert agent.pending.exists()
