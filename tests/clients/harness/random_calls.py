"""Random calls of the tape API, drawn so that tapes come into every status: a call is mostly of a tape that it suits
by what was last seen of it, and now and then of any."""

import random
from dataclasses import dataclass, field

from harness.seeds import CUSTOM_POOL, GATEWAY, GIB, NO_GATEWAY, pool_arn, tape_arn

COMPARED = ("CreateTapes", "CreateTapeWithBarcode", "ListTapes", "DescribeTapes", "DescribeTapeArchives")
READING = {"ListTapes": "TapeInfos", "DescribeTapes": "Tapes", "DescribeTapeArchives": "TapeArchives"}
# How often each is drawn. The operations of the service are those that are compared; the others and the hands of
# backup software (in small letters) make what they show.
CALLS = {
    "CreateTapes": 4,
    "CreateTapeWithBarcode": 8,
    "ListTapes": 8,
    "DescribeTapes": 8,
    "DescribeTapeArchives": 8,
    "on": 12,
    "whole": 2,
    "RetrieveTapeArchive": 6,
    "DeleteTape": 3,
    "DeleteTapeArchive": 3,
    "AssignTapePool": 5,
    "CreateTapePool": 1,
    "ListTapePools": 1,
    "DeleteTapePool": 1,
    "AddTagsToResource": 2,
    "ListTagsForResource": 2,
    "ListGateways": 1,
    "DescribeGatewayInformation": 1,
    "gateway": 3,
    "load": 2,
    "unload": 2,
    "write": 6,
    "eject": 10,
    "step": 8,
}
MINUTE, HOUR = 60, 3600
# A second gateway, which is there from the first time that it is changed.
MOODY_ID = "sgw-0DDBA11A"
MOODY = GATEWAY.replace("sgw-12A3456B", MOODY_ID)


@dataclass
class Known:
    """What earlier calls made and showed, to be named again."""

    statuses: dict[str, str]
    pools: list[str] = field(default_factory=lambda: [CUSTOM_POOL])
    written: list[str] = field(default_factory=list)
    creations: list[dict] = field(default_factory=list)
    # Of one walk each: the call, and where each side goes on.
    walks: list[tuple[str, dict, str, str]] = field(default_factory=list)

    def tape(self, dice: random.Random, *statuses: str) -> str:
        """A tape's ARN."""
        suitable = [barcode for barcode, status in self.statuses.items() if status in statuses]
        if suitable and dice.random() < 0.8:
            return tape_arn(dice.choice(suitable))
        return tape_arn(dice.choice([*self.statuses, "NOSUCHTAPE"]))

    def pool(self, dice: random.Random) -> str:
        """A PoolId."""
        own = dice.choice(self.pools)
        return dice.choice(["GLACIER", "DEEP_ARCHIVE", CUSTOM_POOL, own, own, "pool-99999999", "NO_SUCH_CLASS"])


def draw(known: Known, dice: random.Random) -> tuple[str, dict]:
    """One call: its name and arguments, those of boto3 or of the control API. A name with `whole ` before it is a
    walk to the end. A call that the service takes is one that it lets through."""
    [name] = dice.choices([*CALLS], [*CALLS.values()])
    if name == "on" and known.walks:
        operation, arguments, *_ = known.walks[-1]
        return operation, arguments
    if name in ("on", "whole"):
        whole, name = "whole " * (name == "whole"), dice.choice([*READING])
        arguments = reading(known, dice, name)
        if whole:
            arguments.pop("Marker", None)
        return f"{whole}{name}", arguments
    if name in READING:
        return name, reading(known, dice, name)
    if name in COMPARED:
        return name, creation(known, dice, name)
    return name, other(known, dice, name)


def gateway(dice: random.Random) -> str:
    return dice.choice([GATEWAY] * 16 + [MOODY] * 3 + [NO_GATEWAY])


def creation(known: Known, dice: random.Random, name: str) -> dict:
    arguments = {"GatewayARN": gateway(dice), "TapeSizeInBytes": dice.choice([100, 101, 2048, 15360]) * GIB}
    if dice.random() < 0.8:
        arguments["PoolId"] = known.pool(dice)
    if dice.random() < 0.3:
        arguments["Worm"] = dice.random() < 0.5
    if dice.random() < 0.3:
        arguments["KMSEncrypted"] = True
        arguments["KMSKey"] = "alias/tapes"
    if dice.random() < 0.3:
        arguments["Tags"] = tags(dice)
    if name == "CreateTapeWithBarcode":
        new = f"D{dice.randrange(36**6):09}"
        return arguments | {"TapeBarcode": dice.choice([new] * 9 + [dice.choice([*known.statuses])])}
    if known.creations and dice.random() < 0.3:
        again = dict(dice.choice(known.creations))
        if dice.random() < 0.3:
            again["NumTapesToCreate"] = again["NumTapesToCreate"] % 10 + 1
        return again
    arguments |= {
        "ClientToken": f"token-{dice.randrange(10**9)}",
        "NumTapesToCreate": dice.randint(1, 10),
        "TapeBarcodePrefix": "".join(dice.choices("ABCXYZ", k=dice.randint(1, 4))),
    }
    known.creations.append(arguments)
    return arguments


def reading(known: Known, dice: random.Random, name: str) -> dict:
    arguments = {"GatewayARN": gateway(dice)} if name == "DescribeTapes" else {}
    if dice.random() < 0.7:
        arguments["Limit"] = dice.choice([1, 2, 7, 50, 100, 1000])
    if dice.random() < 0.3:
        barcodes = [*dice.sample([*known.statuses], dice.randint(1, 20)), "NOSUCHTAPE"]
        arguments["TapeARNs"] = [tape_arn(barcode) for barcode in barcodes]
    if dice.random() < 0.08:
        arguments["Marker"] = "made-up"
    return arguments


def tags(dice: random.Random) -> list[dict]:
    return [{"Key": f"key {n}", "Value": "größe" * dice.randrange(4)} for n in range(dice.randrange(4))]


def resource(known: Known, dice: random.Random) -> str:
    return dice.choice([known.tape(dice, "AVAILABLE"), gateway(dice), pool_arn(dice.choice(known.pools))])


def other(known: Known, dice: random.Random, name: str) -> dict:
    """The arguments of an operation that the service does not have, or of a step of the control API."""
    bypass = {"BypassGovernanceRetention": dice.random() < 0.5} if dice.random() < 0.5 else {}
    match name:
        case "RetrieveTapeArchive":
            return {"TapeARN": known.tape(dice, "ARCHIVED"), "GatewayARN": gateway(dice)}
        case "DeleteTape":
            tape = known.tape(dice, "AVAILABLE", "RECOVERED", "IRRECOVERABLE")
            return {"TapeARN": tape, "GatewayARN": gateway(dice)} | bypass
        case "DeleteTapeArchive":
            return {"TapeARN": known.tape(dice, "ARCHIVED")} | bypass
        case "AssignTapePool":
            return {"TapeARN": known.tape(dice, "AVAILABLE", "ARCHIVED"), "PoolId": known.pool(dice)} | bypass
        case "CreateTapePool":
            lock = dice.choice(["NONE", "GOVERNANCE", "COMPLIANCE"])
            # Mostly a lock that ends while the test runs.
            days = {"RetentionLockType": lock, "RetentionLockTimeInDays": dice.choice([0, 1, 1, 2, 36500])}
            return {"PoolName": "P", "StorageClass": dice.choice(["GLACIER", "DEEP_ARCHIVE"])} | dice.choice([days, {}])
        case "DeleteTapePool":
            return {"PoolARN": pool_arn(dice.choice([*known.pools[1:], "pool-99999999"]))}
        case "AddTagsToResource":
            return {"ResourceARN": resource(known, dice), "Tags": tags(dice)}
        case "ListTagsForResource":
            return {"ResourceARN": resource(known, dice)}
        case "DescribeGatewayInformation":
            return {"GatewayARN": gateway(dice)}
        case "ListTapePools" | "ListGateways":
            return {}
        case "gateway":
            return {
                "type": dice.choice(["VTL", "VTL", "CACHED", "FILE_S3"]),
                "cache": dice.random() < 0.7,
                "connected": dice.random() < 0.7,
            }
        case "load" | "unload":
            return {"tape_arn": known.tape(dice, "AVAILABLE", "RETRIEVED")}
        case "write":
            amount = dice.choice([0, 1, 600 << 20, 40 * GIB, 100 * GIB, 101 * GIB])
            known.written.append(known.tape(dice, "AVAILABLE"))
            return {"tape_arn": known.written[-1], "bytes": amount}
        case "eject" if known.written and dice.random() < 0.4:
            return {"tape_arn": known.written.pop()}
        case "eject":
            return {"tape_arn": known.tape(dice, "AVAILABLE", "AVAILABLE", "RETRIEVED")}
        case "step":
            return {
                "step_seconds": dice.choice([1, 30, MINUTE, MINUTE, 5 * MINUTE, 10 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR])
            }
    raise AssertionError(f"no arguments are known for {name}")
