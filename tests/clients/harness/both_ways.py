"""One call two ways, by boto3 and by gRPC, and what both show in one form."""

from datetime import datetime
from typing import Any

import grpc
from botocore import xform_name
from botocore.exceptions import ClientError
from google.protobuf.json_format import MessageToDict
from tapegate.v1 import tape_service_pb2 as pb
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.details import error_info
from harness.judge import codes
from harness.random_calls import READING

POOLS = {"GLACIER": {"pool_id": 1}, "DEEP_ARCHIVE": {"pool_id": 2}}
ACRONYMS = {
    "GatewayARN": "gateway_arn",
    "TapeARN": "tape_arn",
    "TapeARNs": "tape_arns",
    "KMSKey": "kms_key",
    "KMSEncrypted": "kms_encrypted",
    "VTLDevice": "vtl_device",
}


def snake(member: str) -> str:
    """The name that the contract has for a member of the API."""
    return ACRONYMS.get(member) or "".join(f"_{c.lower()}" if c.isupper() else c for c in member).lstrip("_")


def by_boto3(aws: Any, operation: str, arguments: dict) -> tuple[dict | None, str | None]:
    """The answer, or the code that says most of the refusal."""
    try:
        answer = getattr(aws, xform_name(operation))(**arguments)
    except ClientError as error:
        code, nested = codes(error.response)
        return None, nested or code
    answer.pop("ResponseMetadata")
    return answer, None


def request(operation: str, arguments: dict, whole: bool) -> Any:
    """The arguments of boto3 as the message of an operation."""
    members = {snake(name): value for name, value in arguments.items() if name not in ("PoolId", "Tags")}
    if "Tags" in arguments:
        members["tags"] = [{"key": tag["Key"], "value": tag["Value"]} for tag in arguments["Tags"]]
    if "PoolId" in arguments:
        members |= POOLS.get(arguments["PoolId"], {"custom_pool_id": arguments["PoolId"]})
    if operation in READING and not whole:
        # One page, as boto3's call is one.
        members["max_items"] = arguments.get("Limit", 100)
    return getattr(pb, f"{operation}Request")(**members)


def by_grpc(
    tapes: TapeServiceStub, operation: str, arguments: dict, whole: bool = False
) -> tuple[list[dict] | None, tuple[str, str] | None]:
    """The messages, or the code of the status and the code of AWS that it tells of."""
    try:
        answer = getattr(tapes, operation)(request(operation, arguments, whole), timeout=60)
        messages = list(answer) if operation in READING else [answer]
    except grpc.RpcError as error:
        return None, (error.code().name, error_info(error).metadata["upstream_code"])
    return [MessageToDict(message, preserving_proto_field_name=True) for message in messages], None


class Since:
    """Times as they are compared: those of one emulator count from its start, those before it stand as they are."""

    def __init__(self, start: datetime):
        self._start = start.timestamp()

    def __call__(self, time: datetime) -> tuple[str, float]:
        stamp = time.timestamp()
        if stamp >= self._start:
            return "since the start", round(stamp - self._start, 3)
        return "at", round(stamp, 3)


def of_boto3(rows: list[dict], since: Since) -> list[dict]:
    def comparable(value: Any) -> Any:
        return since(value) if isinstance(value, datetime) else value

    tapes = [{snake(name): comparable(value) for name, value in row.items()} for row in rows]
    # The contract cannot tell a false Worm from an absent one.
    return [{name: value for name, value in tape.items() if (name, value) != ("worm", False)} for tape in tapes]


def of_grpc(rows: list[dict], since: Since) -> list[dict]:
    def comparable(member: str, value: Any) -> Any:
        if member.endswith(("_date", "_time")):
            return since(datetime.fromisoformat(value.replace("Z", "+00:00")))
        return int(value) if member.endswith("_in_bytes") else value

    def words(row: dict) -> dict:
        row = {name: value for name, value in row.items() if name not in ("pool_id", "tape_status")}
        return {name.removesuffix("_text"): value for name, value in row.items()}

    return [{name: comparable(name, value) for name, value in words(row).items()} for row in rows]


def rows(page: dict) -> list[dict]:
    """The one list of tapes of a page, which gRPC's JSON leaves out when it is empty."""
    lists = [value for name, value in page.items() if isinstance(value, list) and name != "missing_tape_arns"]
    [found] = lists or [[]]
    return found
