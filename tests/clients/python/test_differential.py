"""The same random calls by boto3 to one emulator and by gRPC to the service over another: the same tapes, the same
pages, and errors that are equal by the table of codes, at every step.

What the service has no call for, boto3 and the control API do to both emulators between these steps, so that tapes are
seen in every status. Both clocks stand still, and are stepped alike.

STEPS and SEED are read from TAPEGATE_DIFFERENTIAL_STEPS and TAPEGATE_DIFFERENTIAL_SEED; a failure names the step and
the seed that repeat it.
"""

import csv
import json
import os
import random
import urllib.error
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import grpc
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness import aws
from harness.aws import Control
from harness.both_ways import Since, by_boto3, by_grpc, of_boto3, of_grpc, rows
from harness.paths import ROOT
from harness.process import dev, emulator
from harness.random_calls import CALLS, COMPARED, MOODY_ID, READING, Known, draw
from harness.seeds import GATEWAY, REGION, SIZE

STEPS = int(os.environ.get("TAPEGATE_DIFFERENTIAL_STEPS", "800"))
SEED = int(os.environ.get("TAPEGATE_DIFFERENTIAL_SEED", "20190327"))
SEEDED = 60
# The statuses that a tape comes into while it is looked at; the seeds show the others.
REACHED = {
    "IN TRANSIT TO VTS",
    "ARCHIVING",
    "ARCHIVED",
    "RETRIEVING",
    "RETRIEVED",
    "DELETING",
    "DELETED",
}


@dataclass
class Side:
    """One emulator, as boto3 and the control API reach it."""

    aws: Any
    control: Control
    since: Since

    @classmethod
    def at(cls, endpoint: str) -> "Side":
        client = aws.client(endpoint)
        client.create_tape_with_barcode(GatewayARN=GATEWAY, TapeSizeInBytes=SIZE, TapeBarcode="START")
        [first] = [
            tape for tape in client.describe_tapes(GatewayARN=GATEWAY)["Tapes"] if tape["TapeBarcode"] == "START"
        ]
        return cls(client, Control(endpoint), Since(first["TapeCreatedDate"]))

    def do(self, name: str, arguments: dict) -> Any:
        """An operation that the service does not have, or a step of the control API: what came of it."""
        if name[0].isupper():
            answer, code = by_boto3(self.aws, name, arguments)
            return code or answer
        try:
            match name:
                case "gateway":
                    answer = self.control.ask("PUT", f"gateways/{REGION}/{MOODY_ID}", arguments)
                case "step":
                    answer = self.control.ask("POST", "clock", arguments)
                case _:
                    answer = self.control.ask("POST", name, arguments)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        if name == "step":
            return self.since(datetime.fromisoformat(answer["now"].replace("Z", "+00:00")))
        return answer


@dataclass
class Sides:
    alone: Side
    behind: Side
    tapes: TapeServiceStub


@pytest.fixture
def sides() -> Iterator[Sides]:
    with (
        # Few seeds, so that most walks end.
        emulator(f"--seed-tapes={SEEDED}", "--time-scale=0") as alone,
        dev(f"--emulator-seed-tapes={SEEDED}", "--emulator-time-scale=0") as both,
        grpc.insecure_channel(both.grpc, [("grpc.max_receive_message_length", 64 << 20)]) as channel,
    ):
        yield Sides(Side.at(alone.emulator), Side.at(both.emulator), TapeServiceStub(channel))


@pytest.fixture(scope="module")
def grpc_codes() -> dict[str, str]:
    """The gRPC code of each code of AWS."""
    with (ROOT / "tests/it/fixtures/error_codes.tsv").open(newline="") as table:
        return {row["error_code"]: row["grpc_code"] for row in csv.DictReader(table, delimiter="\t")}


class Comparison:
    """What is asked of both sides, and what was seen so far."""

    def __init__(self, sides: Sides, grpc_codes: dict[str, str]):
        self._sides = sides
        self._grpc_codes = grpc_codes
        self.known = Known({f"TST{number:06}": "unseen" for number in range(1, SEEDED + 1)})
        self.calls: Counter[tuple[str, str]] = Counter()
        self.reached: set[str] = set()

    def make(self, name: str, arguments: dict):
        """One step; AssertionError where the sides differ."""
        if name.startswith("whole "):
            self._walk(name.removeprefix("whole "), arguments)
        elif name in COMPARED:
            self._compare(name, arguments)
        else:
            self._do(name, arguments)

    def _do(self, name: str, arguments: dict):
        done = self._sides.alone.do(name, arguments)
        assert self._sides.behind.do(name, arguments) == done
        refused = isinstance(done, str) or (name.islower() and name != "step" and isinstance(done, tuple))
        self.calls[name, str(done[0] if isinstance(done, tuple) else done) if refused else "ok"] += 1
        if refused:
            return
        if name == "CreateTapePool":
            self.known.pools.append(done["PoolARN"].rpartition("/")[2])
        if name in ("RetrieveTapeArchive", "DeleteTape", "DeleteTapeArchive", "eject"):
            arn = arguments.get("TapeARN") or arguments["tape_arn"]
            self.known.statuses[arn.rpartition("/")[2]] = "moving"

    def _compare(self, operation: str, arguments: dict):
        ours, theirs = dict(arguments), dict(arguments)
        if self.known.walks and (operation, arguments) == self.known.walks[-1][:2]:
            *_, theirs["Marker"], ours["Marker"] = self.known.walks.pop()
        answer, code = by_boto3(self._sides.alone.aws, operation, theirs)
        messages, status = by_grpc(self._sides.tapes, operation, ours)
        self.calls[operation, code or "ok"] += 1
        if code is not None:
            # What AWS does not say of a barcode, the service has looked up.
            taken = code == "InvalidParameters" and "TapeBarcode" in arguments and self._is_taken(arguments)
            assert status == (("ALREADY_EXISTS", "") if taken else (self._grpc_codes[code], code))
            return
        assert status is None
        if operation not in READING:
            arns = answer.get("TapeARNs") or [answer["TapeARN"]]
            made = {"tape_arns": arns} if "TapeARNs" in answer else {"tape_arn": arns[0]}
            pool = {"pool_id_text": arguments["PoolId"]} if "PoolId" in arguments else {}
            [message] = messages
            message.pop("pool_id", None)
            dropped = message.pop("unconfirmed_tags", [])
            asked = arguments.get("Tags", []) if operation == "CreateTapeWithBarcode" else []
            assert [tag["key"] for tag in dropped] == [tag["Key"] for tag in asked]
            assert message == made | pool
            for arn in arns:
                self.known.statuses.setdefault(arn.rpartition("/")[2], "AVAILABLE")
            return
        [message] = messages
        self._page(message, answer)
        if "Marker" in answer:
            self.known.walks.append((operation, arguments, answer["Marker"], message["marker"]))

    def _is_taken(self, arguments: dict) -> bool:
        arn = arguments["GatewayARN"].partition(":gateway/")[0] + ":tape/" + arguments["TapeBarcode"]
        return bool(self._sides.alone.aws.list_tapes(TapeARNs=[arn])["TapeInfos"])

    def _walk(self, operation: str, arguments: dict):
        """All pages, by boto3's paginator and in one stream."""
        paginator = self._sides.alone.aws.get_paginator(xform_name(operation))
        size = {"PageSize": arguments["Limit"]} if "Limit" in arguments else {}
        rest = {name: value for name, value in arguments.items() if name != "Limit"}
        try:
            pages = list(paginator.paginate(**rest, PaginationConfig=size))
        except ClientError:
            # The first page is refused, and so is one page asked for alone.
            return self._compare(operation, arguments)
        messages, status = by_grpc(self._sides.tapes, operation, arguments, whole=True)
        self.calls[f"whole {operation}", "ok"] += 1
        assert status is None
        for message, page in zip(messages, pages, strict=True):
            self._page(message, page)

    def _page(self, message: dict, page: dict):
        shown = of_boto3(rows(page), self._sides.alone.since)
        assert of_grpc(rows(message), self._sides.behind.since) == shown
        assert ("marker" in message) == ("Marker" in page)
        for tape in shown:
            barcode, status = tape["tape_barcode"], tape["tape_status"]
            if self.known.statuses.get(barcode) not in (None, "unseen", status):
                self.reached.add(status)
            self.known.statuses[barcode] = status


def test_boto3_and_grpc_see_the_same(sides: Sides, grpc_codes: dict[str, str]):
    dice = random.Random(SEED)
    comparison = Comparison(sides, grpc_codes)
    for step in range(STEPS):
        name, arguments = draw(comparison.known, dice)
        try:
            comparison.make(name, arguments)
        except AssertionError as error:
            raise AssertionError(f"step {step} of seed {SEED}: {name} {arguments}: {error}") from error
    for operation in READING:
        comparison.make(f"whole {operation}", {"GatewayARN": GATEWAY} if operation == "DescribeTapes" else {})
    known, calls = comparison.known, comparison.calls
    print(f"{STEPS} steps of seed {SEED}, {len(known.statuses)} tapes, statuses reached: {comparison.reached}")
    for (name, outcome), count in sorted(calls.items()):
        print(f"  {name:28} {outcome:36} {count:6}")
    # That it compared something: all was called, each operation of the service answered and refused, and tapes lived.
    assert {name for name, _ in calls} >= set(CALLS) - {"on", "whole"}
    assert {name for name, outcome in calls if outcome == "ok"} >= set(COMPARED)
    assert {name for name, outcome in calls if outcome != "ok"} >= set(COMPARED)
    assert comparison.reached >= REACHED
