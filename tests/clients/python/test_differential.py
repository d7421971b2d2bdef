"""The same random calls by boto3 to one emulator and by gRPC to the service over another: the same tapes, the same
pages, and errors that are equal by the table of codes, at every step.

STEPS and SEED are read from TAPEGATE_DIFFERENTIAL_STEPS and TAPEGATE_DIFFERENTIAL_SEED; a failure names the step and
the seed that repeat it.
"""

import csv
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import boto3
import grpc
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from google.protobuf.json_format import MessageToDict
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status
from tapegate.v1 import tape_service_pb2 as pb
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.paths import ROOT
from harness.process import dev, emulator
from harness.seeds import ACCESS_KEY_ID, CUSTOM_POOL, GATEWAY, GIB, NO_GATEWAY, REGION, SECRET_ACCESS_KEY, tape_arn

STEPS = int(os.environ.get("TAPEGATE_DIFFERENTIAL_STEPS", "400"))
SEED = int(os.environ.get("TAPEGATE_DIFFERENTIAL_SEED", "20190327"))

POOLS = {"GLACIER": {"pool_id": 1}, "DEEP_ARCHIVE": {"pool_id": 2}}
TABLE = ROOT / "tests/it/fixtures/error_codes.tsv"


@dataclass
class Sides:
    """Both ways to the same tapes, and what earlier steps made, to be named again."""

    aws: Any
    tapes: TapeServiceStub
    barcodes: list[str] = field(default_factory=list)
    creations: list[dict] = field(default_factory=list)
    # Of one walk each: the arguments, and where boto3 and gRPC go on.
    walks: list[tuple[str, dict, str, str]] = field(default_factory=list)


@pytest.fixture
def sides() -> Iterator[Sides]:
    # Fewer seeds than a page holds, so that most walks end.
    with emulator("--seed-tapes=60") as alone, dev("--emulator-seed-tapes=60") as both:
        aws = boto3.client(
            "storagegateway",
            region_name=REGION,
            endpoint_url=alone.emulator,
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
            config=Config(retries={"total_max_attempts": 1}),
        )
        with grpc.insecure_channel(both.grpc) as channel:
            yield Sides(aws, TapeServiceStub(channel), [f"TST{number:06}" for number in range(1, 61)])


@pytest.fixture(scope="module")
def grpc_codes() -> dict[str, str]:
    """The gRPC code of each code of AWS."""
    with TABLE.open(newline="") as table:
        return {row["error_code"]: row["grpc_code"] for row in csv.DictReader(table, delimiter="\t")}


def snake(member: str) -> str:
    """The name that the contract has for a member of the API."""
    words = {
        "GatewayARN": "gateway_arn",
        "TapeARN": "tape_arn",
        "TapeARNs": "tape_arns",
        "KMSKey": "kms_key",
        "KMSEncrypted": "kms_encrypted",
        "VTLDevice": "vtl_device",
    }
    return words.get(member) or "".join(f"_{c.lower()}" if c.isupper() else c for c in member).lstrip("_")


def request(operation: str, arguments: dict) -> Any:
    """The arguments of boto3 as the message of an operation."""
    members = {snake(name): value for name, value in arguments.items() if name not in ("PoolId", "Tags")}
    if "Tags" in arguments:
        members["tags"] = [{"key": tag["Key"], "value": tag["Value"]} for tag in arguments["Tags"]]
    if "PoolId" in arguments:
        members |= POOLS.get(arguments["PoolId"], {"custom_pool_id": arguments["PoolId"]})
    if operation in ("ListTapes", "DescribeTapes", "DescribeTapeArchives"):
        # One page, as boto3's call is one.
        members["max_items"] = arguments.get("Limit", 100)
    return getattr(pb, f"{operation}Request")(**members)


def by_boto3(sides: Sides, operation: str, arguments: dict) -> tuple[dict | None, str | None]:
    method = "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_")
    try:
        answer = getattr(sides.aws, method)(**arguments)
    except ClientError as error:
        nested = error.response.get("error", {}).get("errorCode")
        return None, nested or error.response["Error"]["Code"]
    answer.pop("ResponseMetadata")
    return answer, None


def by_grpc(sides: Sides, operation: str, arguments: dict) -> tuple[dict | None, tuple[str, str] | None]:
    call = getattr(sides.tapes, operation)
    try:
        answer = call(request(operation, arguments), timeout=30)
        if not operation.startswith("Create"):
            [answer] = answer
    except grpc.RpcError as error:
        info = ErrorInfo()
        for detail in rpc_status.from_call(error).details:
            detail.Unpack(info)
        return None, (error.code().name, info.metadata["upstream_code"])
    return MessageToDict(answer, preserving_proto_field_name=True), None


def comparable(member: str, value: Any) -> Any:
    """A member of a tape, of either side, in one form. What is made now is made twice, at two times."""
    if member == "tape_created_date":
        year = value.year if isinstance(value, datetime) else int(value[:4])
        return "now" if year >= datetime.now().year else str(value)[:10]
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, str) and member.endswith(("_date", "_time")):
        return datetime.fromisoformat(value).timestamp()
    if member.endswith("_in_bytes"):
        return int(value)
    return value


def tapes_of_boto3(rows: list[dict]) -> list[dict]:
    tapes = [{snake(name): comparable(snake(name), value) for name, value in row.items()} for row in rows]
    # The contract cannot tell a false Worm from an absent one.
    return [{name: value for name, value in tape.items() if (name, value) != ("worm", False)} for tape in tapes]


def tapes_of_grpc(rows: list[dict]) -> list[dict]:
    def words(row: dict) -> dict:
        row = {name: value for name, value in row.items() if name not in ("pool_id", "tape_status")}
        return {name.removesuffix("_text"): value for name, value in row.items()}

    return [{name: comparable(name, value) for name, value in words(row).items()} for row in rows]


def draw(sides: Sides, dice: random.Random) -> tuple[str, dict]:
    """One call that the service lets through."""
    kind = dice.choices(["tapes", "barcode", "list", "library", "archive", "on"], [3, 3, 3, 3, 3, 5])[0]
    if kind == "on":
        if sides.walks:
            operation, arguments, *_ = sides.walks[-1]
            return operation, arguments
        kind = "list"
    if kind in ("tapes", "barcode"):
        arguments = {
            "GatewayARN": dice.choice([GATEWAY] * 9 + [NO_GATEWAY]),
            "TapeSizeInBytes": dice.choice([100, 101, 2048, 15360]) * GIB,
        }
        if dice.random() < 0.8:
            pool = dice.choice(["GLACIER", "DEEP_ARCHIVE", CUSTOM_POOL, "pool-99999999", "NO_SUCH_CLASS"])
            arguments["PoolId"] = pool
        if dice.random() < 0.3:
            arguments["Worm"] = dice.random() < 0.5
        if dice.random() < 0.3:
            arguments["KMSEncrypted"] = True
            arguments["KMSKey"] = "alias/tapes"
        if dice.random() < 0.3:
            arguments["Tags"] = [{"Key": f"key {n}", "Value": "größe" * n} for n in range(dice.randrange(4))]
        if kind == "barcode":
            new = f"D{dice.randrange(36**6):09}"
            return "CreateTapeWithBarcode", arguments | {"TapeBarcode": dice.choice([new, new, *sides.barcodes[-2:]])}
        if sides.creations and dice.random() < 0.3:
            again = dict(dice.choice(sides.creations))
            if dice.random() < 0.3:
                again["NumTapesToCreate"] = again["NumTapesToCreate"] % 10 + 1
            return "CreateTapes", again
        arguments |= {
            "ClientToken": f"token-{dice.randrange(10**9)}",
            "NumTapesToCreate": dice.randint(1, 10),
            "TapeBarcodePrefix": "".join(dice.choices("ABCXYZ", k=dice.randint(1, 4))),
        }
        sides.creations.append(arguments)
        return "CreateTapes", arguments
    arguments = {"GatewayARN": dice.choice([GATEWAY] * 9 + [NO_GATEWAY])} if kind == "library" else {}
    if dice.random() < 0.7:
        arguments["Limit"] = dice.choice([1, 2, 7, 50, 100, 1000])
    if dice.random() < 0.3:
        barcodes = [*dice.sample(sides.barcodes, dice.randint(1, 20)), "NOSUCHTAPE"]
        arguments["TapeARNs"] = [tape_arn(barcode) for barcode in barcodes]
    if dice.random() < 0.05:
        arguments["Marker"] = "made-up"
    return {"list": "ListTapes", "library": "DescribeTapes", "archive": "DescribeTapeArchives"}[kind], arguments


def test_boto3_and_grpc_see_the_same(sides: Sides, grpc_codes: dict[str, str]):
    dice = random.Random(SEED)
    answered = refused = 0
    for step in range(STEPS):
        operation, arguments = draw(sides, dice)
        ours, theirs = dict(arguments), dict(arguments)
        if sides.walks and (operation, arguments) == sides.walks[-1][:2]:
            *_, theirs["Marker"], ours["Marker"] = sides.walks.pop()
        where = f"step {step} of seed {SEED}: {operation} {arguments}"

        answer, code = by_boto3(sides, operation, theirs)
        message, status = by_grpc(sides, operation, ours)
        if code is not None:
            refused += 1
            assert status == (grpc_codes[code], code), where
            continue
        answered += 1
        assert status is None, where
        if operation.startswith("Create"):
            made = {snake(name): value for name, value in answer.items()}
            assert message == made, where
            arns = made.get("tape_arns") or [made["tape_arn"]]
            sides.barcodes += [arn.rpartition("/")[2] for arn in arns]
            continue
        [rows] = [value for value in answer.values() if isinstance(value, list)]
        [shown] = [value for value in message.values() if isinstance(value, list)] or [[]]
        assert tapes_of_grpc(shown) == tapes_of_boto3(rows), where
        assert ("marker" in message) == ("Marker" in answer), where
        if "Marker" in answer:
            sides.walks.append((operation, arguments, answer["Marker"], message["marker"]))
    print(f"{STEPS} steps of seed {SEED}: {answered} answered, {refused} refused, {len(sides.barcodes)} tapes")
    assert answered and refused
