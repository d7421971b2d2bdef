"""Holds what an emulator answers boto3 against botocore's service model, and reads its refusals."""

import json
import re

import pytest
from botocore.exceptions import ClientError


def judge_answers_of(client):
    """A hook that holds the raw body of each answer against the shapes of the service model."""

    def remember(context, model, **_):
        context["operation"] = model

    def check(response_dict, context, **_):
        raw = json.loads(response_dict["body"])
        if response_dict["status_code"] == 200:
            shape = context["operation"].output_shape
            validate(shape, raw, shape.name)
        else:
            check_error(client.meta.service_model, response_dict["headers"], raw)

    client.meta.events.register("before-call.storagegateway", remember)
    client.meta.events.register("response-received.storagegateway", check)


def check_error(service_model, headers, raw):
    assert "x-amzn-errortype" not in headers
    assert headers["x-amzn-requestid"]
    assert set(raw) <= {"__type", "error", "message"}
    assert raw["message"]
    modelled = {shape.name: shape for shape in service_model.error_shapes}
    if raw["__type"] in modelled:
        validate(modelled[raw["__type"]], {k: v for k, v in raw.items() if k != "__type"}, raw["__type"])
    else:
        assert "error" not in raw


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
            # Letters, digits and separators, as near as Python's own classes come to them.
            pattern = pattern.replace(r"\p{L}", r"\w").replace(r"\p{N}", r"\d").replace(r"\p{Z}", r"\s")
            assert re.search(pattern, value), f"{path}: {value!r} is not {pattern}"
        if getattr(shape, "enum", None):
            assert value in shape.enum, f"{path}: {value!r} is not of the enum"
    elif shape.type_name in ("integer", "long"):
        assert isinstance(value, int) and not isinstance(value, bool), path
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


def refusal(call, *args, **kwargs):
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    return caught.value.response


def assert_refused(response, code):
    assert response["Error"]["Code"] == "InvalidGatewayRequestException"
    assert response["error"]["errorCode"] == code
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["ResponseMetadata"]["RequestId"]


def assert_common(response, code):
    assert response["Error"]["Code"] == code
    assert "error" not in response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
