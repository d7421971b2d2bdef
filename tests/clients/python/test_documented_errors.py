"""Every error of the tables in docs/emulator.md, provoked by boto3: a row without a provocation here fails, and so
does one that names another code than the emulator gives."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError

from harness import aws
from harness.aws import Control, altered, send_raw
from harness.judge import codes
from harness.paths import ROOT
from harness.process import emulator
from harness.seeds import (
    CUSTOM_POOL,
    GATEWAY,
    GIB,
    NO_GATEWAY,
    REGION,
    SIZE,
    new_barcode,
    new_token,
    pool_arn,
    tape_arn,
)

# The tables that say what the emulator does. Those behind this heading, of faults, are held by test_faults.py.
CONTROL = "\n## The control API\n"
STS = "\n## Accounts, roles and STS\n"
HEADER = "| behaviour | the emulator | source |"
MODEL = botocore.session.get_session().get_service_model("storagegateway")
NESTED = set(MODEL.shape_for("ErrorCode").enum)
CARRIER = "InvalidGatewayRequestException"
DAY = 86_400


@dataclass
class Account:
    """An emulator of these tests' own, on a clock that stands still."""

    endpoint: str
    client: Any = field(init=False)
    control: Control = field(init=False)

    def __post_init__(self):
        self.client = self.with_client(parameter_validation=False)
        self.control = Control(self.endpoint)

    def with_client(self, **changes):
        return aws.client(self.endpoint, **changes)

    def tape(self, **changes) -> str:
        members = {"GatewayARN": GATEWAY, "TapeSizeInBytes": SIZE, "TapeBarcode": new_barcode()} | changes
        return self.client.create_tape_with_barcode(**members)["TapeARN"]

    def tapes(self, **changes) -> list[str]:
        members = {
            "GatewayARN": GATEWAY,
            "TapeSizeInBytes": SIZE,
            "ClientToken": new_token(),
            "NumTapesToCreate": 1,
            "TapeBarcodePrefix": "PYT",
        }
        return self.client.create_tapes(**members | changes)["TapeARNs"]

    def create(self, **changes):
        """By both operations, which have to fare alike."""
        first = code_of(lambda: self.tape(**changes))
        second = code_of(lambda: self.tapes(**changes))
        assert first == second
        self.tape(**changes)

    def archived(self, **changes) -> str:
        arn = self.tape(**changes)
        self.control.eject(arn)
        self.control.step(DAY)
        [tape] = self.client.describe_tape_archives(TapeARNs=[arn])["TapeArchives"]
        assert tape["TapeStatus"] == "ARCHIVED"
        return arn

    def deleted(self) -> str:
        arn = self.tape()
        self.client.delete_tape(GatewayARN=GATEWAY, TapeARN=arn)
        self.control.step(120)
        [tape] = self.client.list_tapes(TapeARNs=[arn])["TapeInfos"]
        assert tape["TapeStatus"] == "DELETED"
        return arn

    def pool(self, **changes) -> str:
        arn = self.client.create_tape_pool(**{"PoolName": "Mine", "StorageClass": "GLACIER"} | changes)["PoolARN"]
        return arn.rpartition("/")[2]

    def gateway(self, **members) -> str:
        """A new one, which has whatever is told of it."""
        made = self.control.ask("PUT", f"gateways/{REGION}/sgw-{secrets.token_hex(4).upper()}", members)
        return made["arn"]

    def add_tags(self, *keys: str, to: str = GATEWAY):
        self.client.add_tags_to_resource(ResourceARN=to, Tags=[{"Key": key, "Value": ""} for key in keys])

    def altered(self, **handlers):
        """One call with its request changed on the way."""
        with altered(self.client, **handlers) as client:
            client.list_tapes()

    def raw(self, body: bytes, operation: str = "ListTapes"):
        send_raw(self.client, operation, body)


def header(name: str, value: str | None):
    """A signed request with one header put in, or taken out."""

    def change(request, **_):
        del request.headers[name]
        if value is not None:
            request.headers[name] = value

    return {"before_send": change}


def params(**changes):
    """A request with parts of it changed before it is signed."""

    def change(params, **_):
        params.update({name: value(params[name]) for name, value in changes.items()})

    return {"before_call": change}


def other_body(request, **_):
    request.body = b'{"Limit": 1}'
    request.headers["Content-Length"] = str(len(request.body))


def in_query(request, **_):
    request.url += "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00"


def skewed(account: Account, seconds: int):
    account.control.add_fault(kind="clock-skew", seconds=seconds)
    try:
        account.client.list_tapes()
    finally:
        account.control.clear_faults()


def filled(account: Account):
    """Fills the library, where a tape that comes back from the archive needs a place too."""
    archived = account.archived()
    for count in (10, 1):
        while code_of(lambda count=count: account.tapes(NumTapesToCreate=count)) == "taken":
            pass
    retrieval = code_of(lambda: account.client.retrieve_tape_archive(TapeARN=archived, GatewayARN=GATEWAY))
    assert retrieval == code_of(account.tape)
    account.create()


def token_again(account: Account, **changes):
    token = new_token()
    account.tapes(ClientToken=token)
    account.tapes(ClientToken=token, **changes)


def marker(account: Account, change: Callable[[str], str] = str, operation: str = "list_tapes", **members):
    found = account.client.list_tapes(Limit=1)["Marker"]
    getattr(account.client, operation)(Marker=change(found), **members)


def expired_marker(account: Account):
    found = account.client.list_tapes(Limit=1)["Marker"]
    account.control.step(3_601)
    account.client.list_tapes(Limit=1, Marker=found)


def locked(account: Account, kind: str, bypass: bool, move: bool):
    pool = account.pool(RetentionLockType=kind, RetentionLockTimeInDays=36_500)
    arn, bypass = account.archived(PoolId=pool), {"BypassGovernanceRetention": bypass}
    if move:
        account.client.assign_tape_pool(TapeARN=arn, PoolId="GLACIER", **bypass)
    else:
        account.client.delete_tape_archive(TapeARN=arn, **bypass)


def used_pool(account: Account):
    pool = account.pool()
    account.tape(PoolId=pool)
    account.client.delete_tape_pool(PoolARN=pool_arn(pool))


def altered_once(client, before_send):
    with altered(client, before_send=before_send):
        client.list_tapes()


Provocation = Callable[[Account], Any]
AT_A_GATEWAY: dict[str, Callable[[Account, str], Any]] = {
    "create": lambda a, gateway: a.create(GatewayARN=gateway),
    "describe": lambda a, gateway: a.client.describe_tapes(GatewayARN=gateway),
    "retrieve": lambda a, gateway: a.client.retrieve_tape_archive(TapeARN=a.archived(), GatewayARN=gateway),
    "delete": lambda a, gateway: a.client.delete_tape(TapeARN=a.tape(), GatewayARN=gateway),
}


def at_a_gateway(members: dict, *calls: str) -> list[Provocation]:
    """These calls at a gateway that is as it should not be."""
    return [lambda a, call=AT_A_GATEWAY[name]: call(a, a.gateway(**members)) for name in calls]


# What makes the errors of a row, by the row's first cell.
PROVOCATIONS: dict[str, list[Provocation]] = {
    # The wire
    "Another content type": [lambda a: a.altered(**header("Content-Type", "application/json"))],
    "Another operation": [
        lambda a: a.client.list_volumes(),
        lambda a: a.altered(**params(headers=lambda h: {**h, "X-Amz-Target": "StorageGateway_20130630."})),
    ],
    "No operation: `X-Amz-Target` absent or empty": [
        lambda a: a.altered(**params(headers=lambda h: {**h, "X-Amz-Target": ""})),
        lambda a: a.altered(**params(headers=lambda h: {k: v for k, v in h.items() if k != "X-Amz-Target"})),
    ],
    "Another method, another path": [
        lambda a: a.altered(**params(method=lambda _: "PUT")),
        lambda a: a.altered(**params(url=lambda url: f"{url.rstrip('/')}/tapes")),
    ],
    "Error body": [lambda a: a.client.list_tapes(Marker="x")],
    "A body that is not a JSON object, is empty or is not UTF-8; a member of the wrong type; "
    "a number outside the range of its type": [
        lambda a: a.raw(b"[]"),
        lambda a: a.raw(b""),
        lambda a: a.raw(b"{"),
        lambda a: a.raw(b'{"Marker": "\xff"}'),
        lambda a: a.raw(b'{"Marker": 7}'),
        lambda a: a.raw(b'{"Limit": 2147483648}'),
    ],
    "A null member": [lambda a: a.raw(b'{"TapeARNs": [null], "Marker": null}')],
    "Violated constraints": [lambda a: a.client.list_tapes(Limit=0), lambda a: a.client.describe_tapes()],
    "A body larger than 1 MiB (`max_request_bytes`)": [lambda a: a.raw(b'{"Marker": "%s"}' % (b"x" * (1 << 20)))],
    # Signatures
    "No `Authorization`": [lambda a: a.with_client(signature_version=UNSIGNED).list_tapes()],
    "Malformed, no date": [
        lambda a: a.altered(**header("Authorization", "AWS4-HMAC-SHA256 nonsense")),
        lambda a: a.altered(**header("X-Amz-Date", None)),
    ],
    "Unknown key id": [lambda a: a.with_client(key_id="AKIDNOBODY").list_tapes()],
    "Wrong secret key; a signed part of the request was changed; "
    "wrong service, region or day in the credential scope": [
        lambda a: a.with_client(secret="not the secret").list_tapes(),
        lambda a: a.altered(before_send=other_body),
        lambda a: a.altered(**header("X-Amz-Target", "StorageGateway_20130630.ListGateways")),
    ],
    "Date more than 5 minutes off (`clock_skew`)": [lambda a: skewed(a, 400), lambda a: skewed(a, -400)],
    "Signature in the query": [
        lambda a: altered_once(a.with_client(signature_version=UNSIGNED), in_query),
    ],
    # Creating
    "Size": [
        lambda a: a.create(TapeSizeInBytes=99 * GIB),
        lambda a: a.create(TapeSizeInBytes=100 * GIB + 1),
        lambda a: a.create(TapeSizeInBytes=15 * 1024 * GIB + GIB),
    ],
    "Barcode": [
        lambda a: a.tape(TapeBarcode="TST000001"),
        lambda a: a.tape(TapeBarcode=a.deleted().rpartition("/")[2]),
    ],
    "Unknown custom pool": [
        lambda a: a.create(PoolId="pool-99999999"),
        lambda a: a.client.assign_tape_pool(TapeARN=a.tape(), PoolId="My Pool"),
    ],
    "KMSKey without KMSEncrypted": [lambda a: a.create(KMSKey="alias/tapes")],
    "More than 50 tags, a key with `aws:`, a key twice": [
        lambda a: a.create(Tags=[{"Key": f"{n}", "Value": ""} for n in range(51)]),
        lambda a: a.create(Tags=[{"Key": "aws:x", "Value": ""}]),
        lambda a: a.create(Tags=[{"Key": "a", "Value": ""}] * 2),
        lambda a: a.pool(Tags=[{"Key": "aws:x", "Value": ""}]),
    ],
    "Gateway unknown, of another region, account or partition": [
        lambda a: a.create(GatewayARN=NO_GATEWAY),
        lambda a: a.create(GatewayARN=GATEWAY.replace("us-east-1", "eu-west-1")),
        lambda a: a.create(GatewayARN=GATEWAY.replace("123456789012", "210987654321")),
        lambda a: a.create(GatewayARN=GATEWAY.replace("arn:aws:", "arn:aws-cn:")),
    ],
    "A used ClientToken with other parameters": [
        lambda a: token_again(a, NumTapesToCreate=2),
        lambda a: token_again(a, PoolId="GLACIER"),
    ],
    "More than 10 tapes in a call, or none": [
        lambda a: a.tapes(NumTapesToCreate=11),
        lambda a: a.tapes(NumTapesToCreate=0),
    ],
    "1,500 tapes in a library (`tapes_per_library`), RETRIEVING ones counted, DELETED ones not": [filled],
    # The life of a tape
    "RetrieveTapeArchive: ARCHIVED → RETRIEVING": [
        lambda a: a.client.retrieve_tape_archive(TapeARN=a.tape(), GatewayARN=GATEWAY)
    ],
    "DeleteTape": [lambda a: a.client.delete_tape(GatewayARN=GATEWAY, TapeARN=tape_arn("TST000007"))],
    "DeleteTapeArchive": [lambda a: a.client.delete_tape_archive(TapeARN=a.tape())],
    "An unknown tape, a tape of another gateway, or a DELETED tape": [
        lambda a: a.client.delete_tape_archive(TapeARN=tape_arn("NOSUCHTAPE")),
        lambda a: a.client.delete_tape(GatewayARN=GATEWAY, TapeARN=tape_arn("TST000013")),
        lambda a: a.client.delete_tape(GatewayARN=GATEWAY, TapeARN=a.deleted()),
        lambda a: a.client.retrieve_tape_archive(GatewayARN=GATEWAY, TapeARN=tape_arn("NOSUCHTAPE")),
        lambda a: a.client.assign_tape_pool(TapeARN=a.deleted(), PoolId="GLACIER"),
    ],
    # Pools
    "Lock": [
        lambda a: a.pool(RetentionLockType="GOVERNANCE"),
        lambda a: a.pool(RetentionLockType="COMPLIANCE", RetentionLockTimeInDays=0),
        lambda a: a.pool(RetentionLockType="NONE", RetentionLockTimeInDays=1),
    ],
    "DeleteTapePool": [
        used_pool,
        lambda a: a.client.delete_tape_pool(PoolARN=pool_arn(CUSTOM_POOL)),
        lambda a: a.client.delete_tape_pool(PoolARN=pool_arn("pool-99999999")),
    ],
    "AssignTapePool of a tape ARCHIVED in DEEP_ARCHIVE": [
        lambda a: a.client.assign_tape_pool(TapeARN=a.archived(PoolId="DEEP_ARCHIVE"), PoolId="GLACIER")
    ],
    "An active lock": [
        lambda a: locked(a, "GOVERNANCE", bypass=False, move=False),
        lambda a: locked(a, "GOVERNANCE", bypass=False, move=True),
        lambda a: locked(a, "COMPLIANCE", bypass=True, move=False),
        lambda a: locked(a, "COMPLIANCE", bypass=True, move=True),
    ],
    # Gateways and tags
    "A gateway of another type: CreateTapes, CreateTapeWithBarcode, DescribeTapes, RetrieveTapeArchive, DeleteTape": [
        *at_a_gateway({"type": "FILE_S3"}, "create", "describe", "retrieve", "delete")
    ],
    "No cache: CreateTapes, CreateTapeWithBarcode, RetrieveTapeArchive": [
        *at_a_gateway({"cache": False}, "create", "retrieve")
    ],
    "Not connected: DescribeGatewayInformation": [
        lambda a: a.client.describe_gateway_information(GatewayARN=a.gateway(connected=False))
    ],
    "Not connected: CreateTapes, CreateTapeWithBarcode, RetrieveTapeArchive, DeleteTape": [
        *at_a_gateway({"connected": False}, "create", "retrieve", "delete")
    ],
    "More than 50 tags in all, `aws:`, a key twice": [
        lambda a: a.add_tags(*(f"{n}" for n in range(51))),
        lambda a: [a.add_tags(*(f"{n}" for n in range(first, first + 30))) for first in (0, 30)],
        lambda a: a.add_tags("aws:x"),
        lambda a: a.add_tags("a", "a"),
    ],
    "A resource that is not there": [
        lambda a: a.add_tags("a", to=NO_GATEWAY),
        lambda a: a.add_tags("a", to=tape_arn("NOSUCHTAPE")),
        lambda a: a.client.list_tags_for_resource(ResourceARN=pool_arn("pool-99999999")),
    ],
    "Not connected: DescribeTapes": [
        lambda a: a.client.describe_tapes(GatewayARN=a.gateway(connected=False)),
    ],
    # Reading
    "Marker": [
        lambda a: marker(a, lambda found: found[:-1]),
        lambda a: marker(a, lambda _: secrets.token_hex(20)),
        lambda a: marker(a, operation="describe_tape_archives"),
        lambda a: marker(a, operation="describe_tapes", GatewayARN=GATEWAY),
        lambda a: marker(a, TapeARNs=[tape_arn("TST000001")]),
    ],
    "Expiry of a marker": [expired_marker],
    "TapeARNs": [
        lambda a: a.client.list_tapes(TapeARNs=[tape_arn("NOSUCHTAPE")]),
        lambda a: a.client.describe_tapes(GatewayARN=GATEWAY, TapeARNs=[tape_arn("NOSUCHTAPE")]),
        lambda a: a.client.describe_tape_archives(TapeARNs=[tape_arn("NOSUCHTAPE")]),
    ],
    "A malformed TapeARN": [
        lambda a: a.client.list_tapes(TapeARNs=[tape_arn("TST000001") + "-"]),
        lambda a: a.client.delete_tape_archive(TapeARN=GATEWAY),
    ],
}


# The settings of the emulator for rows whose errors need one.
SETTINGS = {
    "Not connected: DescribeTapes": "describe_offline = false",
    "Expiry of a marker": 'marker_lifetime = "1h"',
    "TapeARNs": 'unknown_tape_arns = "refuse"',
}


def documented() -> dict[str, set[str]]:
    """The codes of each row that names any, by its first cell."""
    rows, inside = {}, False
    text = (ROOT / "docs/emulator.md").read_text().partition(CONTROL)[0]
    # The rows of accounts and STS are held by the emulator's own tests and by test_sts.py.
    before, _, of_sts = text.partition(STS)
    text = before + of_sts[of_sts.index("\n## ") :]
    for line in text.splitlines():
        inside = line == HEADER or (inside and line.startswith("|"))
        if not inside or line == HEADER:
            continue
        behaviour, does, *_ = (cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|")))
        words = set(re.findall(r"`(\w+)`", does))
        found = {word for word in words if word in {*NESTED, "MissingAction"} or word.endswith("Exception")}
        # It is the frame of a nested code, where the row names one.
        if found := found - {CARRIER} or found:
            rows[behaviour] = rows.get(behaviour, set()) | found
    return rows


def code_of(provoke: Callable[[], Any]) -> str:
    try:
        provoke()
    except ClientError as error:
        code, nested = codes(error.response)
        return nested or code
    return "taken"


def test_there_is_a_provocation_for_each_row_that_names_an_error():
    assert set(PROVOCATIONS) == set(documented())


@pytest.mark.parametrize("row", PROVOCATIONS)
def test_the_errors_of_the_documents_are_those_that_come(row, tmp_path):
    settings = tmp_path / "emulator.toml"
    settings.write_text(SETTINGS.get(row, ""))
    with emulator("--time-scale=0", f"--config={settings}") as running:
        account = Account(running.emulator)
        found = [code_of(lambda provoke=provoke: provoke(account)) for provoke in PROVOCATIONS[row]]
    expected = documented().get(row)
    assert set(found) == ({"InvalidParameters"} if expected == {CARRIER} else expected), found
