import os
from collections.abc import Iterator

import boto3
import grpc
import pytest
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.judge import judge_answers
from harness.process import Tapegate, emulator
from harness.seeds import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY


@pytest.fixture(scope="session")
def channel(service: Tapegate) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(service.grpc) as channel:
        yield channel


@pytest.fixture(scope="session")
def tapes(channel: grpc.Channel) -> TapeServiceStub:
    return TapeServiceStub(channel)


@pytest.fixture(scope="session", autouse=True)
def judge():
    """Every answer to a client of `boto3.client` is held against the service model."""
    boto3.setup_default_session()
    judge_answers(boto3.DEFAULT_SESSION.events)


@pytest.fixture(scope="session", autouse=True)
def standalone_emulator() -> Iterator[None]:
    """`tapegate emulator`, and the environment that an AWS client finds it by."""
    with emulator() as running, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("TAPEGATE_EMULATOR_ENDPOINT", running.emulator)
        patch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        yield
