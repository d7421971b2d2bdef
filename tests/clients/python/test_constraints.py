"""Every constraint that the service model puts on a member of a request, from the model itself: the values at its
bounds are taken, and those one beyond are refused with a ValidationException that names the member."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from harness import aws
from harness.judge import codes, python_pattern
from harness.process import emulator
from harness.seeds import CUSTOM_POOL, GATEWAY, SIZE, new_barcode, new_token, pool_arn, tape_arn

MODEL = botocore.session.get_session().get_service_model("storagegateway")
TAGS = [{"Key": "team", "Value": "x"}]
NEW_TAPE = {
    "GatewayARN": GATEWAY,
    "TapeSizeInBytes": SIZE,
    "KMSEncrypted": True,
    "KMSKey": "alias/tapes",
    "PoolId": "GLACIER",
    "Worm": True,
    "Tags": TAGS,
}


FREE = ("ARCHIVED", "GLACIER")


class Account:
    """An emulator of these tests' own, a client that checks nothing itself, and new things to name in requests."""

    def __init__(self, endpoint: str):
        self.client = aws.client(endpoint, parameter_validation=False)
        everything = self.client.get_paginator("describe_tape_archives").paginate().search("TapeArchives[]")
        archive = [tape["TapeARN"] for tape in everything if (tape["TapeStatus"], tape["PoolId"]) == FREE]
        self.archived = iter(archive).__next__

    def available(self) -> str:
        return self.client.create_tape_with_barcode(TapeBarcode=new_barcode(), **NEW_TAPE)["TapeARN"]

    def pool(self) -> str:
        return self.client.create_tape_pool(PoolName="Mine", StorageClass="GLACIER")["PoolARN"]


class Names:
    """What an account gives, for requests that are refused before anybody looks for it."""

    def archived(self) -> str:
        return tape_arn("TST000013")

    available = archived

    def pool(self) -> str:
        return pool_arn(CUSTOM_POOL)


# One good request of each operation, with each of its members but the marker, which only an answer can give.
REQUESTS: dict[str, Callable[[Account | Names], dict]] = {
    "CreateTapeWithBarcode": lambda _: {**NEW_TAPE, "TapeBarcode": new_barcode()},
    "CreateTapes": lambda _: {
        **NEW_TAPE,
        "ClientToken": new_token(),
        "NumTapesToCreate": 1,
        "TapeBarcodePrefix": "PYT",
    },
    "DescribeTapes": lambda _: {"GatewayARN": GATEWAY, "TapeARNs": [tape_arn("TST000001")], "Limit": 10},
    "DescribeTapeArchives": lambda _: {"TapeARNs": [tape_arn("TST000013")], "Limit": 10},
    "ListTapes": lambda _: {"TapeARNs": [tape_arn("TST000001")], "Limit": 10},
    "RetrieveTapeArchive": lambda account: {"GatewayARN": GATEWAY, "TapeARN": account.archived()},
    "DeleteTape": lambda account: {
        "GatewayARN": GATEWAY,
        "TapeARN": account.available(),
        "BypassGovernanceRetention": False,
    },
    "DeleteTapeArchive": lambda account: {"TapeARN": account.archived(), "BypassGovernanceRetention": True},
    "AssignTapePool": lambda _: {
        "TapeARN": tape_arn("TST000001"),
        "PoolId": CUSTOM_POOL,
        "BypassGovernanceRetention": True,
    },
    "CreateTapePool": lambda _: {
        "PoolName": "Mine",
        "StorageClass": "GLACIER",
        "RetentionLockType": "GOVERNANCE",
        "RetentionLockTimeInDays": 1,
        "Tags": TAGS,
    },
    "ListTapePools": lambda _: {"PoolARNs": [pool_arn(CUSTOM_POOL)], "Limit": 10},
    "DeleteTapePool": lambda account: {"PoolARN": account.pool()},
    "ListGateways": lambda _: {"Limit": 10},
    "DescribeGatewayInformation": lambda _: {"GatewayARN": GATEWAY},
    "AddTagsToResource": lambda _: {"ResourceARN": GATEWAY, "Tags": TAGS},
    "ListTagsForResource": lambda _: {"ResourceARN": GATEWAY, "Limit": 10},
}
# What a value that the model allows may still meet: it names nothing, or does not go with the other members.
MEETS = {
    "GatewayARN": "GatewayNotFound",
    "TapeARN": "TapeCartridgeNotFound",
    "PoolARN": "InvalidParameters",
    "ResourceARN": "InvalidParameters",
    "PoolId": "InvalidParameters",
    "KMSEncrypted": "InvalidParameters",
    "Marker": "InvalidParameters",
    "RetentionLockType": "InvalidParameters",
    "RetentionLockTimeInDays": "InvalidParameters",
}
# Text of a length that the pattern of its shape allows, where it has a pattern.
TEXTS: dict[str, Callable[[int], str]] = {
    "TapeARN": lambda length: f"arn:aws:storagegateway:us-east-1:{'1' * (length - 44)}:tape/ABCDE",
    "TapeBarcode": lambda length: f"{new_barcode():A>17}"[-length:] if length else "",
    "TapeBarcodePrefix": lambda length: "A" * length,
    "KMSKey": lambda length: f"alias/{'k' * (length - 6)}",
    "PoolName": lambda length: "p" * length,
    "TagKey": lambda length: "k" * length,
}
# Text of a good length that it does not allow.
STRANGE = {
    "TapeARN": f"{tape_arn('ABCDE')}F-1",
    "TapeBarcode": "lower1",
    "TapeBarcodePrefix": "A1",
    "KMSKey": "alias/a b",
    "PoolName": "a/b",
    "TagKey": "a\tb",
}
# Of another JSON type than the shape's own, or out of the range of the type.
MISTYPED = {
    "string": [1, True, {}, []],
    "integer": ["1", 1.5, True, {}, [], 1 << 31, -(1 << 31) - 1],
    "long": ["1", 1.5, True, {}, [], 1 << 63],
    "boolean": ["true", 1, {}, []],
    "list": ["x", 1, True, {}, [None]],
    "structure": ["x", 1, True, []],
}


@dataclass
class Case:
    """A request with one member changed."""

    operation: str
    # The members, and 0 for the first of a list, that lead to the value.
    path: tuple
    value: Any
    # `taken`, or the exception that refuses it.
    outcome: str
    what: str

    def __str__(self):
        return f"{self.operation}-{'.'.join(map(str, self.path))}-{self.what}"


ABSENT = object()


def cases() -> Iterator[Case]:
    for operation in REQUESTS:
        shape = MODEL.operation_model(operation).input_shape
        for path, member, required in members(shape, ()):
            for value, outcome, what in values(member):
                yield Case(operation, path, value, outcome, what)
            for value in MISTYPED[member.type_name]:
                yield Case(operation, path, value, "SerializationException", f"is {json.dumps(value)}")
            if not isinstance(path[-1], int):
                outcome = "ValidationException" if required else "taken"
                yield Case(operation, path, ABSENT, outcome, "absent")
                yield Case(operation, path, None, outcome, "null")


def members(shape, path: tuple) -> Iterator[tuple[tuple, Any, bool]]:
    """Every member below a shape: the way to it, its shape, and whether it is required."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield (*path, name), member, name in shape.required_members
            yield from members(member, (*path, name))
    if shape.type_name == "list":
        yield (*path, 0), shape.member, False
        yield from members(shape.member, (*path, 0))


def values(shape) -> Iterator[tuple[Any, str, str]]:
    """The values at each bound of a shape, and one beyond."""
    least, most, pattern = (shape.metadata.get(name) for name in ("min", "max", "pattern"))
    if shape.type_name == "string":
        make = TEXTS[shape.name] if pattern else TEXTS.get(shape.name, lambda length: "x" * length)
        for word in shape.enum:
            yield word, "taken", f"is {word}"
        if shape.enum:
            yield "STANDARD", "ValidationException", "is of no enum"
        if pattern:
            assert not python_pattern(pattern).fullmatch(STRANGE[shape.name])
            yield STRANGE[shape.name], "ValidationException", "is not of the pattern"
    else:
        assert not pattern

        def make(number: int) -> int:
            return number

    if least is not None:
        yield make(least), "taken", f"at {least}"
        if shape.type_name != "string" or least > 0:
            yield make(least - 1), "ValidationException", f"below {least}"
    if most is not None:
        yield make(most), "taken", f"at {most}"
        yield make(most + 1), "ValidationException", f"above {most}"
    if shape.type_name == "integer" and most is None:
        yield (1 << 31) - 1, "taken", "at the end of its type"


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    # The archive has one tape for each request that takes one out of it.
    with emulator("--seed-tapes=1000") as running:
        yield Account(running.emulator)


def send(account: Account, operation: str, body: dict) -> tuple[str, str]:
    """The outcome of a request, and what it says."""
    try:
        aws.send_raw(account.client, operation, json.dumps(body).encode())
    except ClientError as error:
        code, nested = codes(error.response)
        return nested or code, error.response["Error"]["Message"]
    return "taken", ""


def changed(request: Any, path: tuple, value: Any) -> Any:
    """The request with the value at the end of the path put in, or taken out."""
    [first, *rest] = path
    copy = list(request) if isinstance(request, list) else dict(request)
    if rest:
        copy[first] = changed(copy[first], tuple(rest), value)
    elif value is ABSENT:
        copy.pop(first, None)
    else:
        copy[first] = value
    return copy


def test_the_requests_are_of_all_operations_with_every_member():
    assert len(REQUESTS) == 16
    for operation, request in REQUESTS.items():
        made = request(Names())
        assert {*made, "Marker"} >= {*MODEL.operation_model(operation).input_shape.members}, operation


@pytest.mark.parametrize("operation", REQUESTS)
def test_a_good_request_is_answered(account, operation):
    assert send(account, operation, REQUESTS[operation](account)) == ("taken", "")


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_constraints_hold_at_their_bounds(account, case):
    # Only a request that is to be answered needs something new to work on.
    request = REQUESTS[case.operation](account if case.outcome == "taken" else Names())
    outcome, message = send(account, case.operation, changed(request, case.path, case.value))
    if case.outcome == "taken":
        assert outcome in ("taken", MEETS.get(case.path[-1])), message
        if outcome != "taken":
            assert "validation error" not in message
        return
    assert outcome == case.outcome, message
    if case.outcome == "ValidationException":
        at = [f"{step + 1}.member" if isinstance(step, int) else step[0].lower() + step[1:] for step in case.path]
        assert f" at '{'.'.join(at)}' failed to satisfy constraint: " in message
