"""grpcurl, as a person at a terminal uses it: everything it knows comes from reflection."""

import json
import subprocess
from dataclasses import dataclass

SERVICE = "tapegate.v1.TapeService"


@dataclass
class Result:
    """What grpcurl printed, and how it ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def messages(self) -> list[dict]:
        """The answers: grpcurl prints one JSON object after the other."""
        assert self.code == 0, self.stderr
        decoder, found, rest = json.JSONDecoder(), [], self.stdout.lstrip()
        while rest:
            message, end = decoder.raw_decode(rest)
            found.append(message)
            rest = rest[end:].lstrip()
        return found

    @property
    def message(self) -> dict:
        """The one answer."""
        (message,) = self.messages
        return message

    @property
    def error(self) -> dict:
        """The `google.rpc.Status` of a refused call."""
        assert self.code != 0, self.stdout
        return json.loads(self.stderr)

    def detail(self, kind: str) -> dict:
        """The one detail of that kind (`BadRequest`) that the error carries, decoded."""
        (detail,) = [d for d in self.error["details"] if d["@type"] == f"type.googleapis.com/google.rpc.{kind}"]
        return detail


class Grpcurl:
    """grpcurl, pointed at one address."""

    def __init__(self, address: str):
        self.address = address

    def run(self, *arguments: str, flags: tuple[str, ...] = ()) -> Result:
        """`grpcurl FLAGS ADDRESS ARGUMENTS`."""
        command = ["grpcurl", "-plaintext", "-max-time", "30", *flags, self.address, *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        return Result(done.returncode, done.stdout, done.stderr)

    def call(self, method: str, request: dict, flags: tuple[str, ...] = ()) -> Result:
        """Calls one of the service's methods."""
        return self.run(f"{SERVICE}/{method}", flags=("-format-error", "-d", json.dumps(request), *flags))
