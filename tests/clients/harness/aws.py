"""boto3, as a test asks for it.

python/conftest.py hooks the judge into boto3's default session, which `boto3.client` takes its clients from: no test
can make one there that is not judged.
"""

import json
import urllib.request
from contextlib import contextmanager
from typing import Any

import boto3
from botocore import xform_name
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


@contextmanager
def altered(client, **handlers):
    """A client whose requests are changed on their way: `before_call` gets them before they are signed, as `params`;
    `before_send` gets them signed, as `request`."""
    events = {f"{name.replace('_', '-')}.storagegateway": handler for name, handler in handlers.items()}
    for event, handler in events.items():
        client.meta.events.register(event, handler)
    try:
        yield client
    finally:
        for event, handler in events.items():
            client.meta.events.unregister(event, handler)


def send_raw(client, operation: str, body: bytes) -> dict:
    """Calls an operation with a body as it is: boto3 has no way to write a wrong one. The client is one without
    parameter validation."""

    def put(params, **_):
        params["body"] = body

    with altered(client, before_call=put):
        return getattr(client, xform_name(operation))()


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

    def hits(self) -> int:
        """How often the only fault rule acted."""
        (rule,) = self.faults()
        return rule["hit"]

    def clear_faults(self):
        assert self.ask("DELETE", "faults")["faults"] == []

    def write(self, tape_arn: str, amount: int):
        self.ask("POST", "write", {"tape_arn": tape_arn, "bytes": amount})

    def eject(self, tape_arn: str):
        self.ask("POST", "eject", {"tape_arn": tape_arn})

    def step(self, seconds: int):
        self.ask("POST", "clock", {"step_seconds": seconds})
