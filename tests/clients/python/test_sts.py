"""Several accounts, and sessions of roles, as boto3 meets them."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from harness.process import Tapegate, emulator
from harness.seeds import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY

OTHER = "210987654321"
ROLE = f"arn:aws:iam::{OTHER}:role/Tapes"

SETTINGS = f"""\
[[account]]
id = "{OTHER}"
seed_tapes = 3

[[role]]
arn = "{ROLE}"
external_id = "vault-7"
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Tapegate]:
    path: Path = tmp_path_factory.mktemp("emulator") / "emulator.toml"
    path.write_text(SETTINGS)
    with emulator(f"--config={path}") as running:
        yield running


def client(running: Tapegate, service: str, credentials: dict | None = None):
    keys = credentials or {"AccessKeyId": ACCESS_KEY_ID, "SecretAccessKey": SECRET_ACCESS_KEY}
    return boto3.Session(
        region_name=REGION,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys.get("SessionToken"),
    ).client(service, endpoint_url=running.emulator, config=Config(retries={"total_max_attempts": 1}))


def test_the_caller_identity_is_that_of_the_keys(running):
    identity = client(running, "sts").get_caller_identity()
    assert identity["Account"] == "123456789012"
    assert identity["Arn"] == f"arn:aws:iam::123456789012:user/{ACCESS_KEY_ID}"


def test_a_session_of_a_role_acts_on_the_account_of_the_role(running):
    answer = client(running, "sts").assume_role(
        RoleArn=ROLE,
        RoleSessionName="night",
        ExternalId="vault-7",
        DurationSeconds=900,
        Tags=[{"Key": "caller", "Value": "Müller & Söhne"}],
        SourceIdentity="tapegate",
    )
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/Tapes/night"
    assert answer["SourceIdentity"] == "tapegate"
    assert answer["Credentials"]["Expiration"].tzinfo is not None
    tapes = client(running, "storagegateway", answer["Credentials"]).list_tapes()["TapeInfos"]
    assert [tape["TapeARN"].split(":")[4] for tape in tapes] == [OTHER] * 3
    assert client(running, "sts", answer["Credentials"]).get_caller_identity()["Account"] == OTHER


def test_a_role_that_cannot_be_assumed_is_told_as_by_aws(running):
    with pytest.raises(ClientError) as refused:
        client(running, "sts").assume_role(RoleArn=ROLE, RoleSessionName="night", ExternalId="vault-8")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert refused.value.response["Error"] == {
        "Type": "Sender",
        "Code": "AccessDenied",
        "Message": f"User: arn:aws:iam::123456789012:user/{ACCESS_KEY_ID} is not authorized to perform: "
        f"sts:AssumeRole on resource: {ROLE}",
    }
