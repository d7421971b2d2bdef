"""Three replicas that count the tapes of a caller together, in a real Redis and a real Valkey."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
import pytest
from tapegate.v1 import tape_pb2
from tapegate.v1 import tape_service_pb2 as pb
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness import aws as amazon
from harness.certificates import certificate
from harness.details import error_info
from harness.eventually import wait_until
from harness.fronts import FRONTS
from harness.paths import ROOT
from harness.process import Tapegate, emulator, make_token
from harness.seeds import ACCOUNT, GATEWAY, new_token
from harness.store import SERVERS, flags, store
from harness.upstream import serve_known, silent_upstream

GIB = 1 << 30
LIMIT = 30
# More of them than tapes may be made.
CREATES = 60


@pytest.fixture
def aws() -> Iterator[Tapegate]:
    with emulator("--seed-tapes=0") as running:
        yield running


@dataclass(frozen=True)
class Callers:
    """The flags of services that know these callers, and their metadata."""

    flags: list[str]
    one: list[tuple[str, str]]
    other: list[tuple[str, str]]
    # Of the name of the first, with a higher limit.
    many: list[tuple[str, str]]


@pytest.fixture
def callers(tmp_path: Path) -> Callers:
    tokens = tmp_path / "tokens.toml"
    one, other = (make_token(name, "tape-operators", file=tokens) for name in ("one", "other"))
    many = make_token("one", "tape-operators", "many", file=tokens)
    config = tmp_path / "limits.toml"
    config.write_text(f'[[limits.group]]\nname = "many"\ntapes_per_hour = {3 * LIMIT}\n')
    of_service = [
        f"--auth-tokens-file={tokens}",
        f"--policy-path={ROOT / 'deploy' / 'policies'}",
        f"--account-id={ACCOUNT}",
        f"--limits-tapes-per-hour={LIMIT}",
        f"--config={config}",
    ]
    return Callers(of_service, *([("authorization", f"Bearer {token}")] for token in (one, other, many)))


def create_one(
    stub: TapeServiceStub, metadata: list[tuple[str, str]], token: str, tapes: int = 1, timeout: float = 30
) -> str:
    """OK, or the reason why not."""
    request = pb.CreateTapesRequest(
        gateway_arn=GATEWAY,
        tape_size_in_bytes=100 * GIB,
        client_token=token,
        num_tapes_to_create=tapes,
        tape_barcode_prefix="SH",
        pool_id=tape_pb2.POOL_ID_GLACIER,
    )
    try:
        stub.CreateTapes(request, metadata=metadata, timeout=timeout)
    except grpc.RpcError as error:
        return error_info(error).reason
    return "OK"


def made(aws: Tapegate) -> int:
    pages = amazon.unjudged_client(aws.emulator).get_paginator("list_tapes").paginate()
    return sum(len(page["TapeInfos"]) for page in pages)


@pytest.mark.parametrize("front", ["nginx", "haproxy", "dns", "static list"])
def test_a_caller_of_three_replicas_makes_its_tapes_an_hour_and_no_more(
    front: str, aws: Tapegate, callers: Callers, tmp_path: Path
):
    with (
        store("valkey-server", tmp_path) as shared,
        FRONTS[front](aws.emulator, tmp_path, 3, [*callers.flags, *flags(shared)]) as site,
        site.channel() as channel,
        ThreadPoolExecutor(16) as pool,
    ):
        stub = TapeServiceStub(channel)
        ends = pool.map(lambda _: create_one(stub, callers.one, new_token()), range(CREATES))
        assert Counter(ends) == {"OK": LIMIT, "LIMIT_REACHED": CREATES - LIMIT}
        assert made(aws) == LIMIT
        assert create_one(stub, callers.other, new_token()) == "OK"


@pytest.mark.parametrize("server", SERVERS)
def test_replicas_that_share_a_count_decide_as_one(server: str, callers: Callers, tmp_path: Path):
    """Random creates, repeats of them, and creates whose responses are lost."""
    seed = random.randrange(1 << 32)
    choose = random.Random(seed)
    with (
        store(server, tmp_path) as shared,
        emulator("--seed-tapes=0") as of_one,
        emulator("--seed-tapes=0") as of_two,
        serve_known(of_one.emulator, *callers.flags, "--retry-attempts=1") as alone,
        serve_known(of_two.emulator, *callers.flags, *flags(shared), "--retry-attempts=1") as first,
        serve_known(of_two.emulator, *callers.flags, *flags(shared), "--retry-attempts=1") as second,
        grpc.insecure_channel(alone.grpc) as of_alone,
        grpc.insecure_channel(first.grpc) as of_first,
        grpc.insecure_channel(second.grpc) as of_second,
    ):
        one, shares = TapeServiceStub(of_alone), [TapeServiceStub(channel) for channel in (of_first, of_second)]
        tokens: list[tuple[str, int]] = []
        # Each tries the store when it starts.
        scripts = 2
        faults = [amazon.Control(aws.emulator) for aws in (of_one, of_two)]
        for step in range(120):
            if tokens and choose.random() < 0.4:
                token, tapes = choose.choice(tokens)
            else:
                token, tapes = new_token(), choose.randint(1, 10)
                tokens.append((token, tapes))
            metadata = choose.choice([callers.one, callers.other, callers.many])
            fault = choose.choice([None, None, None, "lost", "refused"])
            for control in faults:
                control.clear_faults()
                if fault == "lost":
                    control.add_fault(kind="reset", when="after", operations=["CreateTapes"])
                elif fault == "refused":
                    control.add_fault(kind="error", code="GatewayNotFound", operations=["CreateTapes"])
            ends = {create_one(stub, metadata, token, tapes) for stub in (one, choose.choice(shares))}
            assert len(ends) == 1, f"step {step} of the seed {seed}: {ends}"
            # A call that is admitted reports its end after its answer.
            scripts += 1 if ends == {"LIMIT_REACHED"} else 2
            wait_until(partial(shared.has_run, scripts))
        assert made(of_one) == made(of_two)


def test_the_smaller_limit_of_a_name_does_not_fill_the_larger_one(aws: Tapegate, callers: Callers, tmp_path: Path):
    faults = amazon.Control(aws.emulator)
    with (
        store("valkey-server", tmp_path) as shared,
        serve_known(aws.emulator, *callers.flags, *flags(shared), "--retry-attempts=1") as service,
        grpc.insecure_channel(service.grpc) as channel,
    ):
        stub = TapeServiceStub(channel)
        for _ in range(3):
            while create_one(stub, callers.many, new_token(), 10) == "OK":
                pass
            # It is credited, as far as the smaller bucket has room.
            faults.add_fault(kind="error", code="GatewayNotFound", operations=["CreateTapes"], calls=1)
            create_one(stub, callers.one, new_token())
            faults.clear_faults()
        assert made(aws) == 3 * LIMIT


def test_a_connection_that_the_store_has_closed_is_replaced(aws: Tapegate, callers: Callers, tmp_path: Path):
    with (
        store("valkey-server", tmp_path) as shared,
        serve_known(aws.emulator, *callers.flags, *flags(shared)) as service,
        grpc.insecure_channel(service.grpc) as channel,
    ):
        stub = TapeServiceStub(channel)
        for _ in range(3):
            assert create_one(stub, callers.one, new_token()) == "OK"
            shared.close_connections()


@pytest.mark.parametrize("server", SERVERS)
def test_a_store_with_tls_and_a_password(server: str, aws: Tapegate, callers: Callers, tmp_path: Path):
    own = certificate(tmp_path)
    with store(server, tmp_path, own) as shared:
        tls = flags(shared, f"--limits-shared-ca={own.cert}", name="rediss")
        with (
            serve_known(aws.emulator, *callers.flags, *tls) as service,
            grpc.insecure_channel(service.grpc) as channel,
        ):
            stub = TapeServiceStub(channel)
            ends = [create_one(stub, callers.one, new_token(), 10) for _ in range(4)]
            assert ends == ["OK", "OK", "OK", "LIMIT_REACHED"]


def test_while_the_store_is_gone_creates_are_rejected_and_everything_else_goes_on(
    aws: Tapegate, callers: Callers, tmp_path: Path
):
    with (
        store("valkey-server", tmp_path) as shared,
        serve_known(aws.emulator, *callers.flags, *flags(shared)) as service,
        grpc.insecure_channel(service.grpc) as channel,
    ):
        stub = TapeServiceStub(channel)
        token = new_token()
        assert create_one(stub, callers.one, token) == "OK"
        shared.kill()
        assert create_one(stub, callers.one, new_token()) == "LIMITS_UNAVAILABLE"
        assert made(aws) == 1
        assert len(list(stub.ListTapes(pb.ListTapesRequest(), metadata=callers.one))) == 1
        assert service.stderr.wait_for(lambda line: "the store of shared limits cannot be used" in line)
        shared.start()
        wait_until(lambda: create_one(stub, callers.one, new_token()) == "OK")
        assert service.stderr.wait_for(lambda line: "the store of shared limits can be used again" in line)


def test_replicas_may_count_alone_while_the_store_is_gone(aws: Tapegate, callers: Callers, tmp_path: Path):
    with store("valkey-server", tmp_path) as shared:
        alone = flags(shared, "--limits-shared-on-failure=count_alone")
        with (
            serve_known(aws.emulator, *callers.flags, *alone) as service,
            grpc.insecure_channel(service.grpc) as channel,
        ):
            stub = TapeServiceStub(channel)
            shared.kill()
            ends = [create_one(stub, callers.one, new_token(), 10) for _ in range(4)]
            assert ends == ["OK", "OK", "OK", "LIMIT_REACHED"]


def test_a_wrong_password_is_in_the_log_and_not_in_the_error(aws: Tapegate, callers: Callers, tmp_path: Path):
    with store("valkey-server", tmp_path) as shared:
        wrong = tmp_path / "wrong.password"
        wrong.write_text("not the password\n")
        with (
            serve_known(
                aws.emulator,
                *callers.flags,
                f"--limits-shared-url=redis://{shared.address}",
                f"--limits-shared-password-file={wrong}",
            ) as service,
            grpc.insecure_channel(service.grpc) as channel,
        ):
            # Already at the start.
            line = service.stderr.wait_for(lambda line: "the store of shared limits cannot be used" in line)
            assert create_one(TapeServiceStub(channel), callers.one, new_token()) == "LIMITS_UNAVAILABLE"
            assert "AuthenticationFailed" in line and "not the password" not in line


def test_a_store_that_hangs_costs_a_create_its_time_limit(aws: Tapegate, callers: Callers):
    with silent_upstream() as hanging:
        url = hanging.replace("http:", "redis:")
        with (
            serve_known(aws.emulator, *callers.flags, f"--limits-shared-url={url}") as service,
            grpc.insecure_channel(service.grpc) as channel,
        ):
            began = time.monotonic()
            assert create_one(TapeServiceStub(channel), callers.one, new_token()) == "LIMITS_UNAVAILABLE"
            assert time.monotonic() - began < 5
            assert service.stderr.wait_for(lambda line: "the store of shared limits cannot be used" in line)


def test_a_create_that_waits_for_the_store_ends_at_its_deadline(aws: Tapegate, callers: Callers):
    with silent_upstream() as hanging:
        slow = [f"--limits-shared-url={hanging.replace('http:', 'redis:')}", "--limits-shared-timeout=5s"]
        with (
            serve_known(aws.emulator, *callers.flags, *slow) as service,
            grpc.insecure_channel(service.grpc) as channel,
        ):
            # The reason of the service, which a deadline of the library alone would not have.
            end = create_one(TapeServiceStub(channel), callers.one, new_token(), timeout=2)
            assert end == "DEADLINE_EXCEEDED"
