"""Reflection, asked for by version: grpcurl falls back from one to the other by itself."""

from collections.abc import Iterable

import grpc
import pytest

VERSIONS = ["v1", "v1alpha"]
DETAILS = "google/rpc/error_details.proto"


def question(field: int, text: str) -> bytes:
    """A ServerReflectionRequest with this one field, the same in both versions."""
    return bytes([field << 3 | 2, len(text)]) + text.encode()


def file_by_filename(name: str) -> bytes:
    return question(3, name)


def file_containing_symbol(name: str) -> bytes:
    return question(4, name)


LIST_SERVICES = question(7, "")
# The field `error_response`, with the code NOT_FOUND in its first field.
NOT_FOUND = b"\x08\x05"
ERROR_RESPONSE = 7 << 3 | 2
FILE_DESCRIPTOR_RESPONSE = 4 << 3 | 2


def ask(channel: grpc.Channel, version: str, *questions: bytes) -> list[bytes]:
    """The answers to questions on one stream."""
    method = channel.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
    answers: Iterable[bytes] = method(iter(questions), timeout=10)
    return list(answers)


@pytest.mark.parametrize("version", VERSIONS)
def test_both_versions_are_served(channel: grpc.Channel, version: str):
    (answer,) = ask(channel, version, LIST_SERVICES)
    for service in ("tapegate.v1.TapeService", "grpc.health.v1.Health", f"grpc.reflection.{version}.ServerReflection"):
        assert service.encode() in answer


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("unknown", [file_containing_symbol("no.Such"), file_by_filename("no/such.proto")])
def test_an_unknown_name_is_answered_and_the_stream_goes_on(channel: grpc.Channel, version: str, unknown: bytes):
    first, second = ask(channel, version, unknown, LIST_SERVICES)
    # Each answer repeats its question.
    prefix = bytes([2 << 3 | 2, len(unknown)]) + unknown
    assert first.startswith(prefix) and first[len(prefix)] == ERROR_RESPONSE and NOT_FOUND in first
    assert b"tapegate.v1.TapeService" in second


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("tapegate.v1.TapeService", "tapegate/v1/tape_service.proto"),
        ("tapegate.v1.TapeService.ListTapes", "tapegate/v1/tape_service.proto"),
        ("tapegate.v1.PoolId", "tapegate/v1/tape.proto"),
        ("google.rpc.ErrorInfo", DETAILS),
        ("google.protobuf.Timestamp", "google/protobuf/timestamp.proto"),
    ],
)
def test_the_file_of_a_name_is_found(channel: grpc.Channel, name: str, file: str):
    (by_name,) = ask(channel, "v1", file_containing_symbol(name))
    (by_path,) = ask(channel, "v1", file_by_filename(file))
    descriptor = by_path[len(file) + 4 :]
    assert descriptor[0] == FILE_DESCRIPTOR_RESPONSE and by_name.endswith(descriptor)


def test_tools_that_follow_imports_know_the_details_of_errors(channel: grpc.Channel):
    (answer,) = ask(channel, "v1", file_containing_symbol("tapegate.v1.TapeService"))
    assert DETAILS.encode() in answer
