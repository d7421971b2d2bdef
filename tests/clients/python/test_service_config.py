"""docs/service_config.json as grpcio loads it: what it repeats, and what it leaves."""

import time
from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tapegate.v1 import tape_service_pb2
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.aws import Control
from harness.dns import NAME, Dns, published
from harness.paths import SERVICE_CONFIG
from harness.process import Tapegate, dev
from harness.seeds import GATEWAY, SIZE, new_barcode, new_token, tape_arn


@pytest.fixture(scope="module")
def flaky() -> Iterator[Tapegate]:
    """Sends to AWS once, so that what goes wrong there is what the library sees."""
    with dev("--retry-attempts=1") as running:
        yield running


@pytest.fixture
def faults(flaky: Tapegate) -> Iterator[Control]:
    faults = Control(flaky.emulator)
    yield faults
    faults.clear_faults()


def client(running: Tapegate, *options: tuple[str, object]) -> TapeServiceStub:
    # A channel of its own for each: libraries stop to repeat on one where much has failed.
    own = ("grpc.use_local_subchannel_pool", 1)
    return TapeServiceStub(grpc.insecure_channel(running.grpc, options=[own, *options]))


@pytest.fixture
def configured(flaky: Tapegate) -> TapeServiceStub:
    return client(flaky, ("grpc.service_config", SERVICE_CONFIG.read_text()))


def reason(error: grpc.RpcError) -> str:
    (packed,) = [d for d in rpc_status.from_call(error).details if d.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    info = error_details_pb2.ErrorInfo()
    packed.Unpack(info)
    return info.reason


def with_barcode(barcode: str) -> tape_service_pb2.CreateTapeWithBarcodeRequest:
    return tape_service_pb2.CreateTapeWithBarcodeRequest(
        gateway_arn=GATEWAY, tape_size_in_bytes=SIZE, tape_barcode=barcode
    )


def tapes() -> tape_service_pb2.CreateTapesRequest:
    return tape_service_pb2.CreateTapesRequest(
        gateway_arn=GATEWAY,
        tape_size_in_bytes=SIZE,
        client_token=new_token(),
        num_tapes_to_create=2,
        tape_barcode_prefix="RE",
    )


CALLS = {
    "CreateTapeWithBarcode": lambda stub: stub.CreateTapeWithBarcode(with_barcode(new_barcode())),
    "CreateTapes": lambda stub: stub.CreateTapes(tapes()),
    "DescribeTapes": lambda stub: list(
        stub.DescribeTapes(tape_service_pb2.DescribeTapesRequest(gateway_arn=GATEWAY, max_items=1))
    ),
    "DescribeTapeArchives": lambda stub: list(
        stub.DescribeTapeArchives(tape_service_pb2.DescribeTapeArchivesRequest(max_items=1))
    ),
    "ListTapes": lambda stub: list(stub.ListTapes(tape_service_pb2.ListTapesRequest(max_items=1))),
}


@pytest.mark.parametrize("method", CALLS)
def test_every_method_is_repeated_when_the_service_is_unavailable(
    configured: TapeServiceStub, faults: Control, method: str
):
    faults.add_fault(kind="error", code="ServiceUnavailable", operations=[method], calls=2)
    assert CALLS[method](configured)
    assert faults.hits() == 2


@pytest.mark.parametrize("method", CALLS)
def test_three_times_are_the_most(configured: TapeServiceStub, faults: Control, method: str):
    faults.add_fault(kind="error", code="ServiceUnavailable", operations=[method])
    with pytest.raises(grpc.RpcError) as caught:
        CALLS[method](configured)
    assert (caught.value.code(), reason(caught.value)) == (grpc.StatusCode.UNAVAILABLE, "SERVICE_UNAVAILABLE")
    assert faults.hits() == 3


@pytest.mark.parametrize("method", CALLS)
def test_without_the_config_nothing_is_repeated(flaky: Tapegate, faults: Control, method: str):
    faults.add_fault(kind="error", code="ServiceUnavailable", operations=[method])
    with pytest.raises(grpc.RpcError):
        CALLS[method](client(flaky))
    assert faults.hits() == 1


@pytest.mark.parametrize("code", ["InternalFailure", "AccessDeniedException", "ValidationException"])
def test_what_is_not_unavailable_is_final(configured: TapeServiceStub, faults: Control, code: str):
    faults.add_fault(kind="error", code=code, operations=["ListTapes"])
    with pytest.raises(grpc.RpcError):
        CALLS["ListTapes"](configured)
    assert faults.hits() == 1


def test_a_list_that_has_begun_is_not_repeated(configured: TapeServiceStub, faults: Control):
    pages = configured.ListTapes(tape_service_pb2.ListTapesRequest(limit=1, max_items=200))
    assert next(pages).marker
    faults.add_fault(kind="error", code="ServiceUnavailable", operations=["ListTapes"])
    with pytest.raises(grpc.RpcError) as caught:
        list(pages)
    assert reason(caught.value) == "SERVICE_UNAVAILABLE"
    assert faults.hits() == 1


def test_a_create_whose_answer_was_lost_is_its_own_when_the_library_repeats_it(
    configured: TapeServiceStub, faults: Control
):
    barcode = new_barcode()
    faults.add_fault(kind="reset", when="after", operations=["CreateTapeWithBarcode"], calls=1)
    assert configured.CreateTapeWithBarcode(with_barcode(barcode)).tape_arn == tape_arn(barcode)
    assert faults.hits() == 1


def test_one_that_its_author_repeats_by_hand_is_there_and_matches(flaky: Tapegate, faults: Control):
    """Nothing ties the second call to the first: `grpc-previous-rpc-attempts` did above."""
    request = with_barcode(new_barcode())
    faults.add_fault(kind="reset", when="after", operations=["CreateTapeWithBarcode"], calls=1)
    stub = client(flaky)
    for code, why in [
        (grpc.StatusCode.UNAVAILABLE, "UPSTREAM_CONNECTION_LOST"),
        (grpc.StatusCode.ALREADY_EXISTS, "TAPE_EXISTS"),
    ]:
        with pytest.raises(grpc.RpcError) as caught:
            stub.CreateTapeWithBarcode(request)
        assert (caught.value.code(), reason(caught.value)) == (code, why)


def test_tapes_whose_answer_was_lost_are_made_once(configured: TapeServiceStub, faults: Control):
    faults.add_fault(kind="reset", when="after", operations=["CreateTapes"], calls=1)
    request = tapes()
    made = list(configured.CreateTapes(request).tape_arns)
    assert faults.hits() == 1
    assert list(configured.CreateTapes(request).tape_arns) == made


def test_the_library_waits_as_long_as_the_service_asks(configured: TapeServiceStub, faults: Control):
    """Its own backoff would be 240 ms at most."""
    faults.add_fault(kind="error", code="ThrottlingException", operations=["DescribeTapeArchives"], calls=1)
    began = time.monotonic()
    assert CALLS["DescribeTapeArchives"](configured)
    assert time.monotonic() - began >= 1.0
    assert faults.hits() == 1


def test_the_record_in_dns_is_loaded(flaky: Tapegate, faults: Control):
    """As published, by a client that is given nothing but a name."""
    faults.add_fault(kind="error", code="ServiceUnavailable", operations=["ListTapes"], calls=2)
    port = flaky.grpc.rpartition(":")[2]
    options = [
        ("grpc.service_config_disable_resolution", 0),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
    ]
    with (
        Dns(NAME, published()) as dns,
        grpc.insecure_channel(f"dns://{dns.address}/{NAME}:{port}", options=options) as channel,
    ):
        assert CALLS["ListTapes"](TapeServiceStub(channel))
    assert faults.hits() == 2
