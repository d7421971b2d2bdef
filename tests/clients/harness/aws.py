"""boto3, as a test asks for it.

python/conftest.py hooks the judge into boto3's default session, which `boto3.client` takes its clients from: no test
can make one there that is not judged.
"""

import json
import urllib.request
from typing import Any

import boto3
from botocore.config import Config

from harness.seeds import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY


def client(endpoint: str, attempts: int = 1, **changes):
    """A client of the emulator at `endpoint`; every answer that it gets is held against the service model."""
    return _client(boto3, endpoint, attempts, **changes)


def unjudged_client(endpoint: str, attempts: int = 1, **changes):
    """One for answers that are broken on purpose."""
    return _client(boto3.Session(), endpoint, attempts, **changes)


def _client(made_by, endpoint, attempts, region=REGION, key_id=None, secret=None, **config):
    return made_by.client(
        "storagegateway",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=key_id or ACCESS_KEY_ID,
        aws_secret_access_key=secret or SECRET_ACCESS_KEY,
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}, **config),
    )


class Control:
    """The control API of the emulator at `endpoint`."""

    def __init__(self, endpoint: str):
        self.endpoint = endpoint

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """What `/_emulator/PATH` answers; `urllib.error.HTTPError` when it refuses."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_emulator/{path}", data, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def add_fault(self, **rule) -> list[dict]:
        return self.ask("POST", "faults", rule)["faults"]

    def faults(self) -> list[dict]:
        return self.ask("GET", "faults")["faults"]

    def clear_faults(self):
        assert self.ask("DELETE", "faults")["faults"] == []

    def write(self, tape_arn: str, amount: int):
        self.ask("POST", "write", {"tape_arn": tape_arn, "bytes": amount})

    def eject(self, tape_arn: str):
        self.ask("POST", "eject", {"tape_arn": tape_arn})

    def step(self, seconds: int):
        self.ask("POST", "clock", {"step_seconds": seconds})
