"""A client of tapegate that repeats calls as the service says."""

import random
import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import grpc
from tapegate.v1.tape_service_pb2 import CreateTapesRequest, DescribeTapesRequest, ListTapesRequest, ListTapesResponse
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from tapegate_error import TapegateError

# Seconds.
CREATE_DEADLINE = 30.0
DESCRIBE_DEADLINE = 30.0
LIST_DEADLINE = 60.0
SHORTEST_BACKOFF = 0.5
LONGEST_BACKOFF = 10.0

CHANNEL_OPTIONS = [
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.min_reconnect_backoff_ms", 5_000),
]


class GaveUpError(Exception):
    """The time is over, and the call can succeed later."""


class Patience:
    """The time that a piece of work has for all of its attempts."""

    def __init__(self, seconds: float):
        self._seconds = seconds
        self.renew()

    def renew(self):
        """After progress."""
        self._ends = time.monotonic() + self._seconds
        self._failures = 0

    def limit(self, deadline: float) -> float:
        """The timeout of a call: its deadline, or the remaining time if that is shorter."""
        return max(0.0, min(deadline, self._ends - time.monotonic()))

    def sleep(self, seconds: float, why: object):
        if time.monotonic() + seconds >= self._ends:
            raise GaveUpError(f"gave up after {self._seconds:g} s; the last answer was {why}")
        time.sleep(seconds)

    def wait_after(self, error: TapegateError):
        """Waits until the same call can be made again; raises the error if it cannot help."""
        if error.retry != "same_call":
            raise error
        delay = error.retry_delay
        if delay is None:
            self._failures += 1
            longest = min(LONGEST_BACKOFF, SHORTEST_BACKOFF * 2**self._failures)
            delay = random.uniform(SHORTEST_BACKOFF, longest)
        self.sleep(delay, error)


class Tapegate:
    """The calls of one command. They share a trace."""

    def __init__(self, environment: Mapping[str, str]):
        address = environment["TAPEGATE_ADDRESS"]
        options = list(CHANNEL_OPTIONS)
        if config := environment.get("TAPEGATE_SERVICE_CONFIG"):
            options.append(("grpc.service_config", Path(config).read_text()))
        if ca := environment.get("TAPEGATE_CA"):
            self._channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(Path(ca).read_bytes()), options)
        else:
            self._channel = grpc.insecure_channel(address, options)
        self._stub = TapeServiceStub(self._channel)
        self._token_file = environment.get("TAPEGATE_TOKEN_FILE")
        self._trace = secrets.token_hex(16)

    def __enter__(self) -> "Tapegate":
        return self

    def __exit__(self, *_: object):
        self._channel.close()

    def create_tapes(
        self, request: CreateTapesRequest, patience: Patience, failed: Callable[[TapegateError], None]
    ) -> list[str]:
        """The ARNs of the new tapes. `failed` sees the error of each attempt."""
        while True:
            request_id, metadata = self._metadata()
            try:
                timeout = patience.limit(CREATE_DEADLINE)
                return list(self._stub.CreateTapes(request, timeout=timeout, metadata=metadata).tape_arns)
            except grpc.RpcError as error:
                failure = TapegateError.from_rpc(error, request_id)
            failed(failure)
            patience.wait_after(failure)

    def describe_tapes(self, gateway_arn: str, tape_arns: list[str], patience: Patience) -> list:
        """All of these tapes that the library of the gateway has. They are few: each attempt starts anew."""
        request = DescribeTapesRequest(gateway_arn=gateway_arn, tape_arns=tape_arns)
        while True:
            request_id, metadata = self._metadata()
            try:
                timeout = patience.limit(DESCRIBE_DEADLINE)
                pages = self._stub.DescribeTapes(request, timeout=timeout, metadata=metadata)
                return [tape for page in pages for tape in page.tapes]
            except grpc.RpcError as error:
                failure = TapegateError.from_rpc(error, request_id)
            patience.wait_after(failure)

    def list_tapes(self, patience: Patience) -> Iterator[ListTapesResponse]:
        """The pages of all tapes as they come. After an error the list resumes at the last marker."""
        request = ListTapesRequest()
        complete = False
        while True:
            request_id, metadata = self._metadata()
            try:
                timeout = patience.limit(LIST_DEADLINE)
                for page in self._stub.ListTapes(request, timeout=timeout, metadata=metadata):
                    patience.renew()
                    request.marker = page.marker
                    complete = not page.marker
                    yield page
                return
            except grpc.RpcError as error:
                if complete:
                    # The last page had arrived: only the status of the stream was lost.
                    return
                failure = TapegateError.from_rpc(error, request_id)
            patience.wait_after(failure)

    def _metadata(self) -> tuple[str, list[tuple[str, str]]]:
        """A request id, and the metadata of a call with it. The token is read each time because it can be rotated."""
        request_id = str(uuid.uuid4())
        metadata = [("traceparent", f"00-{self._trace}-{secrets.token_hex(8)}-01"), ("x-request-id", request_id)]
        if self._token_file:
            metadata.append(("authorization", f"Bearer {Path(self._token_file).read_text().strip()}"))
        return request_id, metadata
