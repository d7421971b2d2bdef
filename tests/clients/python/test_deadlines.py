"""Against an AWS that hangs, grpcio's call ends before its own timer, with a reason."""

import time
from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tapegate.v1 import tape_service_pb2
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.grpcurl import Grpcurl
from harness.process import Tapegate
from harness.seeds import GATEWAY, SIZE, new_barcode
from harness.upstream import HangingUpstream, serve

DEADLINE_EXCEEDED = 4


@pytest.fixture
def upstream() -> Iterator[HangingUpstream]:
    with HangingUpstream() as upstream:
        yield upstream


@pytest.fixture
def running(upstream: HangingUpstream) -> Iterator[Tapegate]:
    bounds = ("--upstream-connect-timeout=1s", "--upstream-create-timeout=2s")
    with serve(upstream.endpoint, *bounds) as running:
        yield running


@pytest.fixture
def stub(running: Tapegate) -> Iterator[TapeServiceStub]:
    with grpc.insecure_channel(running.grpc) as channel:
        # Connecting is no part of what is measured.
        grpc.channel_ready_future(channel).result(timeout=10)
        yield TapeServiceStub(channel)


def ended_within(seconds: float, call) -> error_details_pb2.ErrorInfo:
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        call(timeout=seconds)
    took = time.monotonic() - began
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    # A client whose own timer fires has no details.
    status = rpc_status.from_call(caught.value)
    assert status is not None, caught.value
    (packed,) = [d for d in status.details if d.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    info = error_details_pb2.ErrorInfo()
    packed.Unpack(info)
    assert (info.domain, info.reason) == ("tapegate", "DEADLINE_EXCEEDED")
    assert took < seconds, f"{took} s"
    return info


def test_a_stream_and_nothing_is_left_behind(stub: TapeServiceStub, upstream: HangingUpstream):
    ended_within(1, lambda timeout: list(stub.ListTapes(tape_service_pb2.ListTapesRequest(), timeout=timeout)))
    assert upstream.is_left_within(5), "the call upstream has gone with its caller"
    assert upstream.asked("ListTapes") == 1


def test_a_unary_call_and_the_create_ends_within_its_bound(stub: TapeServiceStub, upstream: HangingUpstream):
    request = tape_service_pb2.CreateTapeWithBarcodeRequest(
        gateway_arn=GATEWAY, tape_size_in_bytes=SIZE, tape_barcode=new_barcode()
    )
    info = ended_within(1, lambda timeout: stub.CreateTapeWithBarcode(request, timeout=timeout))
    assert info.metadata["outcome"] == "unknown"
    assert not upstream.is_left_within(0), "what was sent goes on"
    assert upstream.is_left_within(10), "and ends after upstream.create_timeout"
    assert upstream.asked("CreateTapeWithBarcode") == 1


@pytest.mark.parametrize("seconds", [0.5, 2, 3.3])
def test_other_timeouts_too(stub: TapeServiceStub, seconds: float):
    ended_within(seconds, lambda timeout: list(stub.ListTapes(tape_service_pb2.ListTapesRequest(), timeout=timeout)))


def test_grpcurl_shows_the_reason(running: Tapegate):
    refused = Grpcurl(running.grpc).call("ListTapes", {}, flags=("-max-time", "1"))
    assert refused.error["code"] == DEADLINE_EXCEEDED
    assert refused.detail("ErrorInfo")["reason"] == "DEADLINE_EXCEEDED"
