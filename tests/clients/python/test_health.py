"""grpc.health.v1, with the client that comes with grpcio."""

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc


@pytest.fixture(scope="module")
def health(channel: grpc.Channel) -> health_pb2_grpc.HealthStub:
    return health_pb2_grpc.HealthStub(channel)


@pytest.mark.parametrize("name", ["", "tapegate.v1.TapeService"])
def test_check_says_serving(health: health_pb2_grpc.HealthStub, name: str):
    answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_check_of_an_unknown_service_is_not_found(health: health_pb2_grpc.HealthStub):
    with pytest.raises(grpc.RpcError) as refused:
        health.Check(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=10)
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


def test_watch_of_an_unknown_service_says_so_and_stays(health: health_pb2_grpc.HealthStub):
    watch = health.Watch(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=1)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    with pytest.raises(grpc.RpcError) as ended:
        next(watch)
    assert ended.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED, "the service ended it"


@pytest.mark.parametrize("name", ["", "tapegate.v1.TapeService"])
def test_watch_begins_with_the_present_state(health: health_pb2_grpc.HealthStub, name: str):
    watch = health.Watch(health_pb2.HealthCheckRequest(service=name), timeout=10)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()
