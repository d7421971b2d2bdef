"""Errors of tapegate as one exception."""

from dataclasses import dataclass
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

Detail = TypeVar("Detail", bound=Message)

# Without ErrorInfo, an error comes from the gRPC library, a proxy or another server. With these codes, the same call
# fails again.
FINAL_WITHOUT_INFO = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)


@dataclass(eq=False)
class TapegateError(Exception):
    """A call that failed, with the details of its status."""

    code: grpc.StatusCode
    message: str
    # Empty if the error came from the gRPC library or from a proxy.
    reason: str
    # same_call, after_change or never. If the error did not come from the service, its code decides.
    retry: str
    # Of a create: not_applied or unknown. Empty for other calls and for errors that did not come from the service.
    outcome: str
    # unknown if an earlier attempt of the service may have created the tapes, otherwise empty.
    earlier_outcome: str
    # Seconds to wait before the call is made again; None if the service gave no delay.
    retry_delay: float | None
    # Field and description of each violation.
    violations: list[tuple[str, str]]
    request_id: str

    @classmethod
    def from_rpc(cls, error: grpc.RpcError, request_id: str) -> "TapegateError":
        """`request_id` is the x-request-id of the call, for an error that did not come from the service."""
        status = _status(error)
        info = _detail(status, ErrorInfo())
        retry = _detail(status, RetryInfo())
        bad_request = _detail(status, BadRequest()) or BadRequest()
        request = _detail(status, RequestInfo())
        without_info = "after_change" if error.code() in FINAL_WITHOUT_INFO else "same_call"
        return cls(
            code=error.code(),
            message=error.details() or "",
            reason=info.reason if info else "",
            retry=info.metadata.get("retry", "") if info else without_info,
            outcome=info.metadata.get("outcome", "") if info else "",
            earlier_outcome=info.metadata.get("earlier_outcome", "") if info else "",
            retry_delay=retry.retry_delay.ToTimedelta().total_seconds() if retry else None,
            violations=[(one.field, one.description) for one in bad_request.field_violations],
            request_id=request.request_id if request else request_id,
        )

    def __str__(self) -> str:
        reason = self.reason or "(not from tapegate)"
        first = f"{self.code.name} {reason}: {self.message} (x-request-id {self.request_id})"
        return "\n".join([first, *(f"  {field}: {description}" for field, description in self.violations)])


def _status(error: grpc.RpcError) -> Status:
    try:
        return rpc_status.from_call(error) or Status()
    except (ValueError, DecodeError):
        # The details are not those of this status: a proxy changed one of the two.
        return Status()


def _detail(status: Status, detail: Detail) -> Detail | None:
    return next((detail for packed in status.details if packed.Unpack(detail)), None)
