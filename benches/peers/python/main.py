"""Python façade over the tape API of AWS Storage Gateway, which benchmarks compare tapegate with.

It uses grpc.aio and aiobotocore, without interceptors, in one process. It serves one region and one
account: those of --region and of the credentials.
"""

import argparse
import asyncio
import os
import signal
from collections.abc import AsyncIterator

import grpc
import uvloop
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as UpstreamConnectionError
from tapegate.v1 import tape_pb2, tape_service_pb2, tape_service_pb2_grpc

# The most concurrent calls of the benchmarks.
MAX_CONNECTIONS = 600
# AWS's default for the number of tapes of a page.
DEFAULT_LIMIT = 100

STATUSES = dict(tape_pb2.TapeStatus.items())
POOLS = dict(tape_pb2.PoolId.items())


class TapeService(tape_service_pb2_grpc.TapeServiceServicer):
    """Answers DescribeTapes and DescribeTapeArchives with UNIMPLEMENTED: no benchmark calls them."""

    def __init__(self, client, region: str):
        self.client = client
        self.region = region

    async def CreateTapeWithBarcode(self, request, context):  # noqa: N802
        parameters = create_parameters(request) | {"TapeBarcode": request.tape_barcode}
        try:
            output = await self.client.create_tape_with_barcode(**parameters)
        except (BotoCoreError, ClientError) as error:
            await fail(context, error)
        return tape_service_pb2.CreateTapeWithBarcodeResponse(
            tape_arn=output["TapeARN"],
            pool_id=pool_id(parameters.get("PoolId")),
            pool_id_text=parameters.get("PoolId"),
            unconfirmed_tags=request.tags,
        )

    async def CreateTapes(self, request, context):  # noqa: N802
        parameters = create_parameters(request) | {
            "ClientToken": request.client_token,
            "NumTapesToCreate": request.num_tapes_to_create,
            "TapeBarcodePrefix": request.tape_barcode_prefix,
        }
        try:
            output = await self.client.create_tapes(**parameters)
        except (BotoCoreError, ClientError) as error:
            await fail(context, error)
        return tape_service_pb2.CreateTapesResponse(
            tape_arns=output["TapeARNs"],
            pool_id=pool_id(parameters.get("PoolId")),
            pool_id_text=parameters.get("PoolId"),
        )

    async def ListTapes(self, request, context) -> AsyncIterator[tape_service_pb2.ListTapesResponse]:  # noqa: N802
        if request.HasField("region") and request.region != self.region:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"region: must be {self.region}")
        if request.max_items < 0:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "max_items: must not be negative")
        marker, remaining = request.marker, request.max_items
        # In the order of the request.
        missing = {} if marker else dict.fromkeys(request.tape_arns)
        while True:
            limit = request.limit
            if request.max_items:
                limit = min(limit or DEFAULT_LIMIT, remaining)
            parameters = {"TapeARNs": list(request.tape_arns), "Marker": marker, "Limit": limit}
            try:
                page = await self.client.list_tapes(**{name: value for name, value in parameters.items() if value})
            except (BotoCoreError, ClientError) as error:
                await fail(context, error)
            marker = page.get("Marker", "")
            tapes = page["TapeInfos"]
            remaining -= len(tapes)
            for tape in tapes:
                missing.pop(tape["TapeARN"], None)
            yield tape_service_pb2.ListTapesResponse(
                tape_infos=map(tape_info, tapes), marker=marker, missing_tape_arns=() if marker else missing
            )
            if not marker or (request.max_items and remaining <= 0):
                return


def create_parameters(request) -> dict:
    """The parameters that both creates have."""
    parameters = {"GatewayARN": request.gateway_arn, "TapeSizeInBytes": request.tape_size_in_bytes}
    match request.WhichOneof("pool"):
        case "pool_id":
            # AWS rejects the name of POOL_ID_UNSPECIFIED.
            parameters["PoolId"] = tape_pb2.PoolId.Name(request.pool_id).removeprefix("POOL_ID_")
        case "custom_pool_id":
            parameters["PoolId"] = request.custom_pool_id
    for field, name in {"kms_encrypted": "KMSEncrypted", "kms_key": "KMSKey", "worm": "Worm"}.items():
        if request.HasField(field):
            parameters[name] = getattr(request, field)
    if request.tags:
        parameters["Tags"] = [{"Key": tag.key, "Value": tag.value} for tag in request.tags]
    return parameters


def tape_info(tape: dict) -> tape_pb2.TapeInfo:
    return tape_pb2.TapeInfo(
        tape_arn=tape["TapeARN"],
        tape_barcode=tape.get("TapeBarcode"),
        tape_size_in_bytes=tape.get("TapeSizeInBytes"),
        # A status that is not in the enum is TAPE_STATUS_UNSPECIFIED.
        tape_status=STATUSES.get("TAPE_STATUS_" + tape.get("TapeStatus", "").replace(" ", "_"), 0),
        tape_status_text=tape.get("TapeStatus"),
        gateway_arn=tape.get("GatewayARN"),
        pool_id=pool_id(tape.get("PoolId")),
        pool_id_text=tape.get("PoolId"),
        retention_start_date=tape.get("RetentionStartDate"),
        pool_entry_date=tape.get("PoolEntryDate"),
    )


def pool_id(text: str | None) -> int:
    """POOL_ID_UNSPECIFIED for a custom pool."""
    return POOLS.get(f"POOL_ID_{text}", 0)


async def fail(context, error: BotoCoreError | ClientError):
    """UNAVAILABLE without a response and for HTTP 5xx, otherwise INTERNAL."""
    code = grpc.StatusCode.INTERNAL
    if isinstance(error, ClientError):
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            code = grpc.StatusCode.UNAVAILABLE
    elif isinstance(error, UpstreamConnectionError | HTTPClientError):
        code = grpc.StatusCode.UNAVAILABLE
    await context.abort(code, str(error))


async def serve(listen: str, upstream: str, region: str):
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    client = get_session().create_client(
        "storagegateway",
        region_name=region,
        endpoint_url=upstream,
        aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        config=AioConfig(max_pool_connections=MAX_CONNECTIONS, retries={"total_max_attempts": 1}),
    )
    async with client as client:
        server = grpc.aio.server()
        tape_service_pb2_grpc.add_TapeServiceServicer_to_server(TapeService(client, region), server)
        port = server.add_insecure_port(listen)
        await server.start()
        print(f"listening grpc={listen.rpartition(':')[0]}:{port}", flush=True)
        await ended.wait()
        await server.stop(grace=None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A gRPC façade over the tape API of AWS Storage Gateway")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="ADDRESS", help="the address of the gRPC listener")
    parser.add_argument("--upstream", required=True, metavar="URL", help="the URL of the AWS API")
    parser.add_argument("--region", default="us-east-1", help="the AWS region")
    uvloop.run(serve(**vars(parser.parse_args())))
