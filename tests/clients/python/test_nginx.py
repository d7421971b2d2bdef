"""Calls through nginx with its default configuration."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo
from grpc_status import rpc_status
from tapegate.v1.tape_service_pb2 import DescribeTapesRequest
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.nginx import nginx
from harness.process import Tapegate
from harness.seeds import GATEWAY


@pytest.fixture(scope="module")
def proxied(service: Tapegate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TapeServiceStub]:
    folder: Path = tmp_path_factory.mktemp("nginx")
    with nginx(folder, service.grpc) as address, grpc.insecure_channel(address) as channel:
        yield TapeServiceStub(channel)


# The kinds of characters that take most in percent-encoding, in base64, and in HPACK.
@pytest.mark.parametrize("malformed", ["w", " ", "本", "~", "~|>", "\x7f"])
def test_the_largest_errors_pass_the_default_buffer(proxied: TapeServiceStub, malformed: str):
    request = DescribeTapesRequest(gateway_arn=GATEWAY, tape_arns=[malformed * 300 + str(n) for n in range(1000)])
    with pytest.raises(grpc.RpcError) as caught:
        list(proxied.DescribeTapes(request, timeout=30, metadata=[("x-request-id", "~" * 128)]))
    error = caught.value
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
    details = rpc_status.from_call(error).details
    (info,) = [ErrorInfo.FromString(detail.value) for detail in details if detail.Is(ErrorInfo.DESCRIPTOR)]
    assert info.reason == "INVALID_REQUEST"
    (shown,) = [BadRequest.FromString(detail.value) for detail in details if detail.Is(BadRequest.DESCRIPTOR)]
    assert any(detail.Is(RequestInfo.DESCRIPTOR) for detail in details)
    left_out = 1000 - len(shown.field_violations)
    assert f"({left_out} of them are left out of the details, which are full)" in error.details()
