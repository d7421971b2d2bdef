"""What a program can tell from an error, and what becomes of requests that are not right."""

from collections.abc import Iterator

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tapegate.v1 import tape_service_pb2
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.seeds import GATEWAY, NO_GATEWAY, SIZE, new_barcode, new_token
from harness.upstream import serve, silent_upstream

RPC = "/tapegate.v1.TapeService"
# The default of `max_request_bytes`.
LIMIT = 1 << 20


def detail(error: grpc.RpcError, kind):
    """The one detail of that kind."""
    status = rpc_status.from_call(error)
    assert status is not None, error
    assert status.code == error.code().value[0]
    (packed,) = [packed for packed in status.details if packed.Is(kind.DESCRIPTOR)]
    return unpack(packed, kind)


def unpack(packed: any_pb2.Any, kind):
    message = kind()
    assert packed.Unpack(message)
    return message


def refused(call, *arguments, **options) -> grpc.RpcError:
    """The error of a call that must not succeed, unary or streamed."""
    with pytest.raises(grpc.RpcError) as caught:
        answer = call(*arguments, timeout=options.pop("timeout", 30), **options)
        if isinstance(answer, grpc.Call):
            list(answer)
    return caught.value


def test_every_violation_comes_at_once(tapes: TapeServiceStub):
    error = refused(tapes.CreateTapeWithBarcode, tape_service_pb2.CreateTapeWithBarcodeRequest())
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    violations = detail(error, error_details_pb2.BadRequest).field_violations
    assert {violation.field for violation in violations} == {
        "gateway_arn",
        "tape_size_in_bytes",
        "tape_barcode",
    }
    info = detail(error, error_details_pb2.ErrorInfo)
    assert (info.domain, info.reason) == ("tapegate", "INVALID_REQUEST")
    assert info.metadata["outcome"] == "not_applied"


def test_a_missing_token_is_explained(tapes: TapeServiceStub):
    error = refused(
        tapes.CreateTapes,
        tape_service_pb2.CreateTapesRequest(
            gateway_arn=GATEWAY, tape_size_in_bytes=SIZE, num_tapes_to_create=1, tape_barcode_prefix="TOK"
        ),
    )
    (violation,) = detail(error, error_details_pb2.BadRequest).field_violations
    assert violation.field == "client_token"
    assert "UUID" in violation.description


def test_an_unknown_gateway_names_the_reason_and_the_resource(tapes: TapeServiceStub):
    error = refused(
        tapes.CreateTapes,
        tape_service_pb2.CreateTapesRequest(
            gateway_arn=NO_GATEWAY,
            tape_size_in_bytes=SIZE,
            client_token=new_token(),
            num_tapes_to_create=1,
            tape_barcode_prefix="NOT",
        ),
    )
    assert error.code() == grpc.StatusCode.NOT_FOUND
    info = detail(error, error_details_pb2.ErrorInfo)
    assert (info.domain, info.reason) == ("storagegateway.amazonaws.com", "GATEWAY_NOT_FOUND")
    assert info.metadata["outcome"] == "not_applied"
    assert detail(error, error_details_pb2.ResourceInfo).resource_name == NO_GATEWAY
    assert dict(error.trailing_metadata())["x-tapegate-attempts"] == "1"


def test_a_barcode_cannot_be_taken_twice(tapes: TapeServiceStub):
    request = tape_service_pb2.CreateTapeWithBarcodeRequest(
        gateway_arn=GATEWAY, tape_size_in_bytes=SIZE, tape_barcode=new_barcode()
    )
    tapes.CreateTapeWithBarcode(request, timeout=30)
    error = refused(tapes.CreateTapeWithBarcode, request)
    assert error.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.ALREADY_EXISTS)
    assert detail(error, error_details_pb2.ErrorInfo).reason


def test_an_unknown_field_is_refused(channel: grpc.Channel):
    """It could not be passed on, and leaving it out would be silent."""
    known = tape_service_pb2.ListTapesRequest(max_items=1).SerializeToString()
    field_1000_as_varint = b"\xc0\x3e\x01"
    call = channel.unary_stream(f"{RPC}/ListTapes")
    error = refused(call, known + field_1000_as_varint)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert detail(error, error_details_pb2.ErrorInfo).reason == "MALFORMED_REQUEST"
    assert "1000" in error.details()


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"\x12\x02\xff\xfe", id="marker is not UTF-8"),
        pytest.param(b"\x12\x7fshort", id="cut off"),
        pytest.param(b"\x12\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", id="length does not fit"),
        pytest.param(b"\x10\x01", id="marker as a number"),
        pytest.param(b"\xff" * 64, id="noise"),
    ],
)
def test_bytes_that_are_no_request_are_refused(channel: grpc.Channel, request_bytes: bytes):
    error = refused(channel.unary_stream(f"{RPC}/ListTapes"), request_bytes)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    info = detail(error, error_details_pb2.ErrorInfo)
    assert (info.domain, info.reason) == ("tapegate", "MALFORMED_REQUEST")


def test_an_oversized_request_is_refused(channel: grpc.Channel):
    marker = b"\x12" + _varint(LIMIT) + b"x" * LIMIT
    error = refused(channel.unary_stream(f"{RPC}/ListTapes"), marker)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert detail(error, error_details_pb2.ErrorInfo).reason == "REQUEST_TOO_LARGE"


def test_an_unknown_method_is_unimplemented(channel: grpc.Channel):
    assert refused(channel.unary_unary(f"{RPC}/DeleteTape"), b"").code() == grpc.StatusCode.UNIMPLEMENTED


def test_the_service_answers_after_all_that(tapes: TapeServiceStub):
    assert list(tapes.ListTapes(tape_service_pb2.ListTapesRequest(max_items=1), timeout=30))


@pytest.fixture(scope="module")
def unanswered() -> Iterator[TapeServiceStub]:
    """The service over an upstream that takes connections and says nothing."""
    # A create that was sent runs on without its caller, and the end of the process waits for it.
    patience = {"TAPEGATE_UPSTREAM_ATTEMPT_TIMEOUT": "4s"}
    with (
        silent_upstream() as upstream,
        serve(upstream, env=patience) as running,
        grpc.insecure_channel(running.grpc) as channel,
    ):
        yield TapeServiceStub(channel)


def test_a_deadline_ends_a_call_with_its_details(unanswered: TapeServiceStub):
    """The service ends it a little before the client's own timer, which would leave no details."""
    error = refused(unanswered.ListTapes, tape_service_pb2.ListTapesRequest(), timeout=2)
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert detail(error, error_details_pb2.ErrorInfo).domain == "tapegate"


def test_a_create_whose_answer_did_not_come_has_an_unknown_outcome(unanswered: TapeServiceStub):
    request = tape_service_pb2.CreateTapeWithBarcodeRequest(
        gateway_arn=GATEWAY, tape_size_in_bytes=SIZE, tape_barcode=new_barcode()
    )
    error = refused(unanswered.CreateTapeWithBarcode, request, timeout=2)
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert detail(error, error_details_pb2.ErrorInfo).metadata["outcome"] == "unknown"


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
