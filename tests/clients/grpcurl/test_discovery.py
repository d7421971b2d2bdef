"""What a person finds out about the service with nothing but its address."""

import pytest

from harness.grpcurl import SERVICE, Grpcurl

RPCS = ["CreateTapeWithBarcode", "CreateTapes", "DescribeTapeArchives", "DescribeTapes", "ListTapes"]


def test_lists_its_services(grpcurl: Grpcurl):
    services = grpcurl.run("list").stdout.split()
    assert {
        SERVICE,
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
    } <= set(services)


def test_lists_the_five_operations(grpcurl: Grpcurl):
    assert grpcurl.run("list", SERVICE).stdout.split() == [f"{SERVICE}.{rpc}" for rpc in RPCS]


@pytest.mark.parametrize("rpc", RPCS)
def test_describes_the_operation_and_its_messages(grpcurl: Grpcurl, rpc: str):
    signature = grpcurl.run("describe", f"{SERVICE}.{rpc}").stdout
    streamed = "" if rpc.startswith("Create") else "stream "
    assert f"rpc {rpc} ( .tapegate.v1.{rpc}Request ) returns ( {streamed}.tapegate.v1.{rpc}Response );" in signature

    for message in (f"tapegate.v1.{rpc}Request", f"tapegate.v1.{rpc}Response"):
        assert f"{message} is a message:" in grpcurl.run("describe", message).stdout


def test_describes_a_request_as_a_template_to_fill_in(grpcurl: Grpcurl):
    described = grpcurl.run("describe", "tapegate.v1.CreateTapesRequest", flags=("-msg-template",)).stdout
    for member in ("gatewayArn", "tapeSizeInBytes", "clientToken", "numTapesToCreate", "tapeBarcodePrefix"):
        assert f'"{member}"' in described


@pytest.mark.parametrize("name", ["", SERVICE])
def test_health_is_serving(grpcurl: Grpcurl, name: str):
    answered = grpcurl.run("grpc.health.v1.Health/Check", flags=("-d", f'{{"service": "{name}"}}'))
    assert answered.message == {"status": "SERVING"}
