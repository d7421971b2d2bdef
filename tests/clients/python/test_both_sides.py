"""One library of tapes, seen through gRPC and through the AWS API of the emulator below it."""

import boto3
import pytest
from tapegate.v1 import tape_service_pb2
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.process import Tapegate
from harness.seeds import (
    ACCESS_KEY_ID,
    CUSTOM_POOL,
    GATEWAY,
    REGION,
    SECRET_ACCESS_KEY,
    SIZE,
    new_barcode,
    new_token,
)


@pytest.fixture(scope="module")
def aws(service: Tapegate):
    """boto3, pointed at the emulator of `tapegate dev`."""
    return boto3.client(
        "storagegateway",
        endpoint_url=service.emulator,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
    )


def test_what_grpc_creates_aws_shows(tapes: TapeServiceStub, aws):
    created = tapes.CreateTapeWithBarcode(
        tape_service_pb2.CreateTapeWithBarcodeRequest(
            gateway_arn=GATEWAY,
            tape_size_in_bytes=SIZE,
            tape_barcode=new_barcode(),
            custom_pool_id=CUSTOM_POOL,
            worm=True,
        ),
        timeout=30,
    )
    (tape,) = aws.describe_tapes(GatewayARN=GATEWAY, TapeARNs=[created.tape_arn])["Tapes"]
    assert tape["PoolId"] == CUSTOM_POOL
    assert tape["TapeSizeInBytes"] == SIZE
    assert tape["Worm"] is True


def test_what_aws_creates_grpc_shows(tapes: TapeServiceStub, aws):
    arns = aws.create_tapes(
        GatewayARN=GATEWAY,
        TapeSizeInBytes=SIZE,
        ClientToken=new_token(),
        NumTapesToCreate=2,
        TapeBarcodePrefix="AWS",
        PoolId="DEEP_ARCHIVE",
    )["TapeARNs"]
    pages = tapes.ListTapes(tape_service_pb2.ListTapesRequest(tape_arns=arns), timeout=30)
    infos = [info for page in pages for info in page.tape_infos]
    assert {info.tape_arn for info in infos} == set(arns)
    assert {info.pool_id_text for info in infos} == {"DEEP_ARCHIVE"}


def test_both_list_the_same_tapes(tapes: TapeServiceStub, aws):
    through_aws = [tape for page in aws.get_paginator("list_tapes").paginate() for tape in page["TapeInfos"]]
    pages = tapes.ListTapes(tape_service_pb2.ListTapesRequest(), timeout=30)
    through_grpc = [info for page in pages for info in page.tape_infos]
    assert [info.tape_arn for info in through_grpc] == [tape["TapeARN"] for tape in through_aws]
    for info, tape in zip(through_grpc, through_aws, strict=True):
        shown = {
            "TapeARN": info.tape_arn,
            "TapeBarcode": info.tape_barcode,
            "TapeSizeInBytes": info.tape_size_in_bytes,
            "TapeStatus": info.tape_status_text,
            "GatewayARN": info.gateway_arn if info.HasField("gateway_arn") else None,
            "PoolId": info.pool_id_text if info.HasField("pool_id_text") else None,
        }
        assert shown == {name: tape.get(name) for name in shown}
