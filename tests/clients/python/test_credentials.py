"""Session tokens and a set of credentials, as boto3 meets them."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from harness.process import Tapegate, emulator, run
from harness.seeds import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY

FILE = """\
# Who may sign.
[long-lived]
aws_access_key_id = AKIATHEFIRST
aws_secret_access_key = secret/of+the/first

[short-lived]
aws_access_key_id = ASIATHESECOND
aws_secret_access_key = secret/of+the/second
aws_session_token = token/of+the/second==
"""

REFUSED = 400, "UnrecognizedClientException"


@pytest.fixture(scope="module")
def shared_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("aws") / "credentials"
    path.write_text(FILE)
    return path


@pytest.fixture(scope="module")
def running(shared_file: Path) -> Iterator[Tapegate]:
    with emulator(f"--credentials={shared_file}") as running:
        yield running


def tapes(running: Tapegate, **session):
    """What ListTapes answers to a session of boto3: its tapes, or the status and code of its refusal."""
    client = boto3.Session(region_name=REGION, **session).client(
        "storagegateway", endpoint_url=running.emulator, config=Config(retries={"total_max_attempts": 1})
    )
    try:
        return len(client.list_tapes(Limit=3)["TapeInfos"])
    except ClientError as refusal:
        return refusal.response["ResponseMetadata"]["HTTPStatusCode"], refusal.response["Error"]["Code"]


def test_the_start_says_what_is_verified(running):
    says = "signatures are verified against the configured access keys: 3, 1 of them with a session token"
    assert running.stdout.wait_for(lambda line: line == says)


@pytest.mark.parametrize("profile", ["long-lived", "short-lived"])
def test_every_profile_of_the_file_may_sign(running, shared_file, monkeypatch, profile):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared_file))
    assert tapes(running, profile_name=profile) == 3


def test_the_pair_of_the_settings_may_sign_too(running):
    assert tapes(running, aws_access_key_id=ACCESS_KEY_ID, aws_secret_access_key=SECRET_ACCESS_KEY) == 3


@pytest.mark.parametrize("token", [None, "token/of+another==", "token/of+the/second"])
def test_a_missing_or_wrong_session_token_is_refused(running, token):
    session = {"aws_access_key_id": "ASIATHESECOND", "aws_secret_access_key": "secret/of+the/second"}
    assert tapes(running, aws_session_token=token, **session) == REFUSED


def test_a_session_token_with_a_long_lived_pair_is_refused(running):
    session = {"aws_access_key_id": "AKIATHEFIRST", "aws_secret_access_key": "secret/of+the/first"}
    assert tapes(running, aws_session_token="token/of+the/second==", **session) == REFUSED


def test_everything_wrong_with_a_file_is_said_at_once_and_no_secret_of_it(tmp_path):
    path = tmp_path / "credentials"
    path.write_text("[one]\naws_secret_access_key = hush hush\n[two]\naws_access_key_id = AKIATWO\nhush\n")
    ended = run("emulator", "--listen=127.0.0.1:0", f"--credentials={path}")
    assert ended.returncode == 2
    assert "line 2: profile one: aws_secret_access_key (not shown) is wrong" in ended.stderr
    assert "line 1: profile one has no aws_access_key_id" in ended.stderr
    assert "line 5: is not of the form name = value" in ended.stderr
    assert "line 3: profile two has no aws_secret_access_key" in ended.stderr
    assert "hush" not in ended.stderr + ended.stdout
