"""Reflection, asked for by version: grpcurl falls back from one to the other by itself."""

import grpc
import pytest

# ServerReflectionRequest { list_services: "" }, the same in both versions.
LIST_SERVICES = b"\x3a\x00"


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_both_versions_are_served(channel: grpc.Channel, version: str):
    ask = channel.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
    (answer,) = ask(iter([LIST_SERVICES]), timeout=10)
    assert b"tapegate.v1.TapeService" in answer
