import pytest

from harness.grpcurl import Grpcurl
from harness.process import Tapegate


@pytest.fixture(scope="session")
def grpcurl(service: Tapegate) -> Grpcurl:
    return Grpcurl(service.grpc)
