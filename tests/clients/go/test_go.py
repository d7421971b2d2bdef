"""grpc-go against the program: deadlines, and what its library repeats by the service config."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.aws import Control
from harness.dns import NAME, Dns, published
from harness.paths import ROOT, SERVICE_CONFIG
from harness.ports import free_address
from harness.process import Tapegate, dev
from harness.relay import Relay
from harness.seeds import new_barcode
from harness.upstream import HangingUpstream, serve

# What one attempt of the service comes to is what the library sees.
ONCE = "--retry-attempts=1"


def run(program: Path, test: str, target: str, **variables: str) -> subprocess.CompletedProcess[str]:
    named = {f"TAPEGATE_{name.upper()}": value for name, value in variables.items()}
    return subprocess.run(
        [program, "-test.v", "-test.count=1", f"-test.run=^{test}$"],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"TAPEGATE_TARGET": target} | named,
    )


def survived(program: Path, target: str, between: Callable[[], object]):
    """Calls once before and once after `between`."""
    variables = {"TAPEGATE_TARGET": target, "TAPEGATE_SERVICE_CONFIG": str(SERVICE_CONFIG)}
    command = [program, "-test.run=^TestSurvives$"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | variables, **pipes) as running:
        assert running.stdout.readline() == "listed once\n", running.stdout.read()
        between()
        said, _ = running.communicate("again\n", timeout=60)
        assert running.returncode == 0, said


def passed(program: Path, test: str, target: str, **variables: str):
    done = run(program, test, target, **variables)
    assert done.returncode == 0 and f"--- PASS: {test}" in done.stdout, done.stdout + done.stderr


@pytest.fixture(scope="module")
def flaky() -> Iterator[Tapegate]:
    with dev(ONCE) as running:
        yield running


@pytest.fixture
def faults(flaky: Tapegate) -> Iterator[Control]:
    faults = Control(flaky.emulator)
    yield faults
    faults.clear_faults()


def test_a_deadline_of_a_second_ends_within_it_with_details(program: Path):
    bounds = ("--upstream-connect-timeout=1s", "--upstream-create-timeout=2s")
    with HangingUpstream() as upstream, serve(upstream.endpoint, *bounds) as running:
        passed(program, "TestDeadlineOfOneSecond", running.grpc, barcode=new_barcode())
        assert upstream.is_left_within(10)
        assert (upstream.asked("ListTapes"), upstream.asked("CreateTapeWithBarcode")) == (1, 1)


def test_the_library_repeats_what_the_service_config_says(program: Path, flaky: Tapegate, faults: Control):
    faults.add_fault(kind="error", code="ServiceUnavailable", operations=["ListTapes"], calls=2)
    passed(program, "TestRepeated", flaky.grpc, service_config=str(SERVICE_CONFIG))
    assert faults.hits() == 2


def test_it_finds_the_config_in_dns(program: Path, flaky: Tapegate, faults: Control):
    faults.add_fault(kind="error", code="ServiceUnavailable", operations=["ListTapes"], calls=2)
    port = flaky.grpc.rpartition(":")[2]
    with Dns(NAME, published()) as dns:
        passed(program, "TestRepeated", f"dns://{dns.address}/{NAME}:{port}")
    assert faults.hits() == 2


def test_without_the_config_it_does_not(program: Path, flaky: Tapegate, faults: Control):
    faults.add_fault(kind="error", code="ServiceUnavailable", operations=["ListTapes"], calls=2)
    passed(program, "TestNotRepeated", flaky.grpc, reason="SERVICE_UNAVAILABLE")
    assert faults.hits() == 1


def test_it_does_not_repeat_what_is_final(program: Path, flaky: Tapegate, faults: Control):
    faults.add_fault(kind="error", code="InternalFailure", operations=["ListTapes"], calls=2)
    passed(program, "TestNotRepeated", flaky.grpc, reason="INTERNAL_FAILURE", service_config=str(SERVICE_CONFIG))
    assert faults.hits() == 1


def test_a_create_whose_answer_was_lost_is_its_own_when_the_library_repeats_it(
    program: Path, flaky: Tapegate, faults: Control
):
    faults.add_fault(kind="reset", when="after", operations=["CreateTapeWithBarcode"], calls=1)
    passed(program, "TestRepeated", flaky.grpc, barcode=new_barcode(), service_config=str(SERVICE_CONFIG))
    assert faults.hits() == 1


def test_it_waits_as_long_as_the_service_asks(program: Path, flaky: Tapegate, faults: Control):
    """Its own backoff would be 240 ms at most."""
    faults.add_fault(kind="error", code="ThrottlingException", operations=["ListTapes"], calls=1)
    passed(program, "TestRepeated", flaky.grpc, least_ms="1000", service_config=str(SERVICE_CONFIG))
    assert faults.hits() == 1


def test_a_call_survives_a_connection_that_was_dropped_without_a_word(program: Path, flaky: Tapegate):
    with Relay(flaky.grpc) as relay:
        survived(program, relay.address, relay.swallow)


def test_a_call_waits_for_a_replica_that_restarts(program: Path, flaky: Tapegate):
    address = free_address()
    with ExitStack() as stack:
        first = serve(flaky.emulator, listen=address)

        def restart():
            with first:
                pass
            threading.Timer(2, lambda: stack.enter_context(serve(flaky.emulator, listen=address))).start()

        survived(program, address, restart)


def test_its_options_are_the_documented_ones():
    page = (ROOT / "docs" / "service-config.md").read_text()
    example = page.split("```go\n")[1].split("```")[0]
    documented = example[example.index("grpc.WithKeepaliveParams") : example.rindex(")")]
    source = (Path(__file__).parent / "clients_test.go").read_text()
    assert "".join(documented.split()) in "".join(source.split())
