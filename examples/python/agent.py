"""An example of a backup agent: creates tapes and lists them."""

import argparse
import json
import os
import sys
import uuid
from pathlib import Path
from typing import NoReturn

from google.protobuf import json_format
from tapegate.v1 import tape_pb2
from tapegate.v1.tape_service_pb2 import CreateTapesRequest

from tapegate_client import GaveUpError, Patience, Tapegate
from tapegate_error import TapegateError

GIB = 1 << 30
FAILED = 1
TRY_AGAIN = 2
KEPT = """\
{} keeps the request, with its client_token. AWS does not say how long it remembers a token:
after ten minutes, look for the tapes with `agent list` before you send the request again."""


def sync_folder(folder: Path):
    """Makes a rename or a removal in it durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Pending:
    """The file that keeps a request from before its first attempt until its tapes are reported. It is what makes a
    create safe against a crash of the agent: the next run sends the same client_token."""

    def __init__(self, path: Path):
        self._path = path

    def load(self) -> CreateTapesRequest | None:
        try:
            return json_format.Parse(self._path.read_text(), CreateTapesRequest())
        except FileNotFoundError:
            return None
        except json_format.ParseError as error:
            raise ValueError(f"{self._path}: {error}") from error

    def store(self, request: CreateTapesRequest):
        temporary = self._path.with_name(self._path.name + ".new")
        with temporary.open("w") as file:
            file.write(json_format.MessageToJson(request))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        sync_folder(self._path.parent)

    def remove(self):
        self._path.unlink()
        sync_folder(self._path.parent)


def create(tapegate: Tapegate, arguments: argparse.Namespace):
    pending = Pending(arguments.pending)
    patience = Patience(arguments.give_up)
    request = pending.load()
    # Whether an attempt may have created the tapes.
    uncertain = request is not None
    if request:
        print(f"resuming the request of {arguments.pending}, which an earlier run left", file=sys.stderr)
    else:
        request = CreateTapesRequest(
            gateway_arn=arguments.gateway,
            tape_size_in_bytes=arguments.gib * GIB,
            client_token=str(uuid.uuid4()),
            num_tapes_to_create=arguments.count,
            tape_barcode_prefix=arguments.prefix,
            # Also takes the names of storage classes, those of later releases too.
            custom_pool_id=arguments.pool,
        )
        pending.store(request)

    def failed(error: TapegateError):
        nonlocal uncertain
        uncertain |= error.outcome != "not_applied" or bool(error.earlier_outcome)

    try:
        tape_arns = tapegate.create_tapes(request, patience, failed)
        uncertain = True
        wait_until_available(tapegate, request.gateway_arn, tape_arns, patience)
    except (TapegateError, GaveUpError) as error:
        if uncertain or isinstance(error, GaveUpError):
            print(KEPT.format(arguments.pending), file=sys.stderr)
        else:
            pending.remove()
        raise
    print(json.dumps({"tapes": tape_arns}), flush=True)
    pending.remove()


def wait_until_available(tapegate: Tapegate, gateway_arn: str, tape_arns: list[str], patience: Patience):
    pause = 1.0
    while True:
        tapes = tapegate.describe_tapes(gateway_arn, tape_arns, patience)
        if len(tapes) == len(tape_arns) and all(is_available(tape) for tape in tapes):
            for tape in tapes:
                # Unlike `pool_id`, it also has custom pools and storage classes that this program does not know.
                print(f"{tape.tape_barcode} is available, pool {tape.pool_id_text}", file=sys.stderr)
            return
        patience.sleep(pause, "that tapes are still being created")
        pause = min(5.0, pause + 1.0)


def is_available(tape: tape_pb2.Tape) -> bool:
    match tape.tape_status:
        case tape_pb2.TAPE_STATUS_AVAILABLE:
            return True
        case tape_pb2.TAPE_STATUS_IRRECOVERABLE | tape_pb2.TAPE_STATUS_DELETING | tape_pb2.TAPE_STATUS_DELETED:
            raise SystemExit(f"{tape.tape_arn} is {tape.tape_status_text}")
        case _:
            # CREATING, or a status of a later release.
            return False


def list_tapes(tapegate: Tapegate, arguments: argparse.Namespace):
    # A tape that is archived or retrieved meanwhile can be on two pages.
    printed = set()
    for page in tapegate.list_tapes(Patience(arguments.give_up)):
        for tape in page.tape_infos:
            if tape.tape_arn not in printed:
                printed.add(tape.tape_arn)
                print(tape.tape_arn)
        sys.stdout.flush()


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Not with argparse's exit code 2, which says here that the same command can succeed later."""
        self.print_usage(sys.stderr)
        self.exit(FAILED, f"{self.prog}: {message}\n")


def parse() -> argparse.Namespace:
    parser = Parser(prog="agent", description=__doc__)
    commands = parser.add_subparsers(required=True)
    creating = commands.add_parser("create", help="create tapes, and wait until they are available")
    creating.add_argument("--gateway", required=True, metavar="ARN")
    creating.add_argument("--prefix", required=True, help="of the barcodes")
    creating.add_argument("--count", required=True, type=int)
    creating.add_argument("--gib", required=True, type=int, help="capacity of each tape")
    creating.add_argument("--pool", required=True, help="a storage class, or the id of a custom pool")
    creating.add_argument("--pending", required=True, type=Path, metavar="FILE", help="keeps the request until it ends")
    creating.set_defaults(run=create)
    listing = commands.add_parser("list", help="print the ARNs of all tapes")
    listing.set_defaults(run=list_tapes)
    for command in (creating, listing):
        command.add_argument("--give-up", type=float, default=120.0, metavar="SECONDS")
    if "TAPEGATE_ADDRESS" not in os.environ:
        parser.error("TAPEGATE_ADDRESS is not set; it is the host:port of the service")
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    try:
        with Tapegate(os.environ) as tapegate:
            arguments.run(tapegate, arguments)
    except GaveUpError as error:
        print(f"{error}\nrun the same command again", file=sys.stderr)
        return TRY_AGAIN
    except (TapegateError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
