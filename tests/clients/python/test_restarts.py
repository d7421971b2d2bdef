"""Replicas that restart, stop or go silent under a stock client with the documented channel options."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from tapegate.v1.tape_service_pb2 import CreateTapesRequest, ListTapesRequest
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.channel import DOCUMENTED_OPTIONS
from harness.ports import free_address
from harness.process import Tapegate, emulator
from harness.relay import Relay
from harness.seeds import GATEWAY, SIZE, new_token
from harness.upstream import serve

CALLERS = 4
RESTARTS = 5
# Between the calls of one caller: the emulator's gateway holds 1,500 tapes.
PAUSE = 0.03


@pytest.fixture(scope="module")
def aws() -> Iterator[Tapegate]:
    with emulator("--seed-tapes=0") as running:
        yield running


def client(target: str, *more: tuple[str, object]) -> TapeServiceStub:
    return TapeServiceStub(grpc.insecure_channel(target, options=[*DOCUMENTED_OPTIONS, *more]))


def create(stub: TapeServiceStub) -> list[str]:
    request = CreateTapesRequest(
        gateway_arn=GATEWAY,
        tape_size_in_bytes=SIZE,
        client_token=new_token(),
        num_tapes_to_create=1,
        tape_barcode_prefix="RST",
    )
    return list(stub.CreateTapes(request).tape_arns)


def listed(stub: TapeServiceStub, max_items: int = 0) -> list[str]:
    pages = stub.ListTapes(ListTapesRequest(max_items=max_items))
    return [tape.tape_arn for page in pages for tape in page.tape_infos]


def test_no_call_fails_while_the_only_replica_restarts(aws: Tapegate):
    address, made, ended = free_address(), [], threading.Event()

    def call() -> int:
        stub, calls = client(address), 0
        while not ended.wait(PAUSE):
            made.extend(create(stub))
            listed(stub, max_items=1)
            calls += 2
        return calls

    def restart():
        for _ in range(RESTARTS):
            with serve(aws.emulator, listen=address):
                time.sleep(1)
            time.sleep(1)

    with ThreadPoolExecutor() as pool:
        callers = [pool.submit(call) for _ in range(CALLERS)]
        restart()
        ended.set()
        # For the calls that wait.
        with serve(aws.emulator, listen=address) as last:
            calls = sum(caller.result() for caller in callers)
            assert calls > RESTARTS * CALLERS
            assert Counter(listed(client(last.grpc))) == Counter(made)


def test_an_outage_ends_a_call_by_its_deadline_and_at_once_if_it_does_not_wait():
    stub = client(free_address())
    for options, code, least, most in [
        ({"timeout": 2}, grpc.StatusCode.DEADLINE_EXCEEDED, 1.9, 5),
        ({"wait_for_ready": False}, grpc.StatusCode.UNAVAILABLE, 0, 3),
    ]:
        began = time.monotonic()
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.ListTapes(ListTapesRequest(), **options))
        assert caught.value.code() == code
        assert least < time.monotonic() - began < most


def test_a_call_survives_a_connection_that_was_dropped_without_a_word(aws: Tapegate):
    with serve(aws.emulator) as replica, Relay(replica.grpc) as relay:
        stub = client(relay.address)
        listed(stub)
        relay.swallow()
        began = time.monotonic()
        listed(stub)
        # The two keepalive times of the page, and the repeat.
        assert time.monotonic() - began < 30


def test_a_static_list_of_replicas_needs_an_authority(aws: Tapegate):
    with serve(aws.emulator) as one, serve(aws.emulator) as other:
        both = f"ipv4:{one.grpc},{other.grpc}"
        authority = ("grpc.default_authority", "tapegate.example.com")
        robin = ("grpc.lb_policy_name", "round_robin")
        for _ in range(4):
            listed(client(both, authority, robin))
        with pytest.raises(grpc.RpcError) as caught:
            listed(client(both))
        assert caught.value.code() == grpc.StatusCode.INTERNAL
