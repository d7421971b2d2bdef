"""Holds every answer that boto3 gets against botocore's service model, and reads its refusals.

The raw body is judged, before botocore's parser forgives what is wrong with it: it drops unknown members and nulls,
and takes one JSON type for another.
"""

import json
import re
import sys
import unicodedata
import uuid
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

CONTENT_TYPE = "application/x-amz-json-1.1"
# AWS sends it, and its user guide lists it, but the list of codes in the model does not have it.
NOT_IN_THE_MODEL = {"UnsupportedOperationForGatewayType"}
# docs/emulator.md, "What goes wrong" and "The wire": all other codes come with 400.
STATUSES = {
    "InternalFailure": {500},
    "InternalServerError": {400, 500},
    # The common errors of AWS have 403.
    "InvalidClientTokenId": {400, 403},
    "RequestTimeoutException": {408},
    "ServiceUnavailable": {503},
    "UnknownOperationException": {400, 404, 405},
}


def judge_answers(events):
    """Hooks the judge into an event system of botocore: a session's, for every client that it makes, or a client's."""

    def remember(context, model, **_):
        context["tapegate_operation"] = model

    def check(response_dict, context, **_):
        # None: no answer came, and the caller gets the exception of that.
        if response_dict is not None:
            check_answer(context["tapegate_operation"], **response_dict)

    events.register("before-call.storagegateway", remember)
    events.register("response-received.storagegateway", check)


def check_answer(operation, status_code: int, headers, body: bytes, **_):
    """Asserts that an answer, of success or of failure, is one that the operation's model allows."""
    headers = {name.lower(): value for name, value in headers.items()}
    if status_code == 502:
        # Not of the service: a load balancer before it says so, in HTML.
        assert headers["content-type"].startswith("text/html")
        assert "x-amzn-requestid" not in headers
        return
    assert headers["content-type"] == CONTENT_TYPE, headers["content-type"]
    assert str(uuid.UUID(headers["x-amzn-requestid"])) == headers["x-amzn-requestid"]
    assert "x-amzn-errortype" not in headers
    raw = json.loads(body, object_pairs_hook=_each_once, parse_constant=_no_number)
    if status_code == 200:
        shape = operation.output_shape
        validate(shape, raw, shape.name)
    else:
        check_error(operation.service_model, status_code, raw)


def check_error(service_model, status_code: int, raw: Any):
    """Asserts that the body of a refusal is that of a modelled exception, or of one that all AWS services have."""
    assert isinstance(raw, dict), "an error is an object"
    assert set(raw) <= {"__type", "error", "message"}, f"members that no error has: {sorted(raw)}"
    assert isinstance(raw.get("message"), str) and raw["message"], "an error without a message"
    kind = raw.get("__type")
    assert isinstance(kind, str) and re.fullmatch("[A-Za-z]+", kind), f"an error of the type {kind!r}"
    assert status_code in STATUSES.get(kind, {400}), f"{kind} with status {status_code}"
    modelled = {shape.name: shape for shape in service_model.error_shapes}
    if kind in modelled:
        validate(modelled[kind], {name: value for name, value in raw.items() if name != "__type"}, kind)
    else:
        assert "error" not in raw, f"{kind} with a nested error"
    if kind == "InvalidGatewayRequestException":
        assert "errorCode" in raw.get("error", {}), f"{kind} without a nested code"


def _each_once(pairs):
    members = dict(pairs)
    assert len(members) == len(pairs), f"a member that is there twice: {[name for name, _ in pairs]}"
    return members


def _no_number(text):
    pytest.fail(f"{text} is no JSON")


def validate(shape, value, path):
    """Asserts that a JSON value is of a botocore shape: type, members, length, range, pattern, enum."""
    if shape.type_name == "structure":
        assert isinstance(value, dict), path
        assert set(value) <= set(shape.members), f"{path}: members the model does not have"
        assert set(shape.required_members) <= set(value), f"{path}: required members are absent"
        for name, member in value.items():
            validate(shape.members[name], member, f"{path}.{name}")
        return
    if shape.type_name == "list":
        assert isinstance(value, list), path
        for n, member in enumerate(value):
            validate(shape.member, member, f"{path}[{n}]")
        size = len(value)
    elif shape.type_name == "string":
        assert isinstance(value, str), path
        size = len(value)
        if pattern := shape.metadata.get("pattern"):
            assert python_pattern(pattern).fullmatch(value), f"{path}: {value!r} is not {pattern}"
        if enum := getattr(shape, "enum", None):
            assert value in enum or value in NOT_IN_THE_MODEL, f"{path}: {value!r} is not of the enum"
    elif shape.type_name in ("integer", "long"):
        assert isinstance(value, int) and not isinstance(value, bool), path
        assert value.bit_length() < {"integer": 32, "long": 64}[shape.type_name], f"{path}: {value} is out of range"
        size = value
    elif shape.type_name in ("double", "timestamp"):
        assert isinstance(value, (int, float)) and not isinstance(value, bool), path
        size = value
    elif shape.type_name == "boolean":
        assert isinstance(value, bool), path
        return
    else:
        pytest.fail(f"{path}: no rule for the type {shape.type_name}")
    assert size >= shape.metadata.get("min", size), f"{path}: {value!r} is too small"
    assert size <= shape.metadata.get("max", size), f"{path}: {value!r} is too large"


@cache
def python_pattern(pattern: str) -> re.Pattern:
    """A pattern of the model in Python's words, which knows no `\\p{L}`. AWS's patterns match the whole, so they are
    for `fullmatch`."""
    return re.compile(re.sub(r"\\p\{(\w)\}", lambda found: _characters(found[1]), pattern))


@cache
def _characters(category: str) -> str:
    """All characters of a major Unicode category, as ranges for a character class."""
    members = (unicodedata.category(chr(code))[0] == category for code in range(sys.maxunicode + 1))
    edges, inside = [], False
    for code, member in enumerate([*members, False]):
        if member != inside:
            edges.append(code)
            inside = member
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return "".join(f"\\U{first:08x}-\\U{after - 1:08x}" for first, after in pairs)


def refusal(call, *args, **kwargs):
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    return caught.value.response


def codes(response) -> tuple[str, str | None]:
    """The code of a refusal, and the nested one."""
    return response["Error"]["Code"], response.get("error", {}).get("errorCode")


def assert_refused(response, code):
    assert codes(response) == ("InvalidGatewayRequestException", code)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["ResponseMetadata"]["RequestId"]


def assert_common(response, code):
    assert codes(response) == (code, None)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
