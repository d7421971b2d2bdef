"""Errors as a person sees them: what is wrong, all of it, and whose word it is."""

from harness.grpcurl import Grpcurl
from harness.paths import PROTOS
from harness.seeds import GATEWAY, NO_GATEWAY, SIZE, new_barcode, new_token

INVALID_ARGUMENT = 3
NOT_FOUND = 5
OURS = "tapegate"
UPSTREAM = "storagegateway.amazonaws.com"


def test_a_bad_request_lists_every_violation_at_once(grpcurl: Grpcurl):
    refused = grpcurl.call(
        "CreateTapes",
        {
            "gatewayArn": "sgw-12A3456B",
            "tapeSizeInBytes": SIZE + 1,
            "numTapesToCreate": 11,
            "tapeBarcodePrefix": "TOOLONG",
            "kmsKey": "alias/key",
            "poolId": "POOL_ID_UNSPECIFIED",
            "tags": [{"key": "aws:name", "value": "x"}],
        },
    )
    assert refused.error["code"] == INVALID_ARGUMENT

    violations = refused.detail("BadRequest")["fieldViolations"]
    fields = {violation["field"] for violation in violations}
    assert {
        "gateway_arn",
        "tape_size_in_bytes",
        "num_tapes_to_create",
        "tape_barcode_prefix",
        "client_token",
        "kms_key",
        "pool_id",
        "tags[0].key",
    } <= fields
    assert all(violation["description"] for violation in violations)

    info = refused.detail("ErrorInfo")
    assert (info["domain"], info["reason"]) == (OURS, "INVALID_REQUEST")
    assert info["metadata"]["outcome"] == "not_applied"


def test_an_unknown_gateway_is_a_resource_that_is_not_found(grpcurl: Grpcurl):
    request = {"gatewayArn": NO_GATEWAY, "tapeSizeInBytes": SIZE, "tapeBarcode": new_barcode()}
    refused = grpcurl.call("CreateTapeWithBarcode", request)
    assert refused.error["code"] == NOT_FOUND

    info = refused.detail("ErrorInfo")
    assert (info["domain"], info["reason"]) == (UPSTREAM, "GATEWAY_NOT_FOUND")
    assert info["metadata"]["outcome"] == "not_applied"
    assert NO_GATEWAY in refused.detail("ResourceInfo")["resourceName"]


def test_a_refused_stream_is_a_plain_error(grpcurl: Grpcurl):
    refused = grpcurl.call("DescribeTapes", {"gatewayArn": NO_GATEWAY})
    assert refused.error["code"] == NOT_FOUND
    assert refused.stdout == ""
    assert refused.detail("ErrorInfo")["reason"] == "GATEWAY_NOT_FOUND"


def test_a_person_reads_the_error_without_any_flag(grpcurl: Grpcurl):
    refused = grpcurl.run("tapegate.v1.TapeService/ListTapes", flags=("-d", '{"limit": 1001, "maxItems": -1}'))
    assert refused.code != 0
    assert "Code: InvalidArgument" in refused.stderr
    assert '"field": "limit"' in refused.stderr
    assert '"field": "max_items"' in refused.stderr


def test_trailers_say_what_aws_was_asked(grpcurl: Grpcurl):
    """On success too."""
    creation = {
        "gatewayArn": GATEWAY,
        "tapeSizeInBytes": SIZE,
        "clientToken": new_token(),
        "numTapesToCreate": 1,
        "tapeBarcodePrefix": "TRL",
    }
    for method, request in (("CreateTapes", creation), ("ListTapes", {"maxItems": 1})):
        answered = grpcurl.call(method, request, flags=("-v",))
        _, _, trailers = answered.stdout.partition("Response trailers received:")
        assert "x-tapegate-attempts: 1\n" in trailers
        assert "x-amzn-requestid: " in trailers


def response_headers(grpcurl: Grpcurl, request_id: str) -> str:
    answered = grpcurl.call("ListTapes", {"maxItems": 1}, flags=("-v", "-H", f"x-request-id: {request_id}"))
    _, _, received = answered.stdout.partition("Response headers received:")
    return received.partition("Response contents:")[0]


def test_the_request_id_is_echoed(grpcurl: Grpcurl):
    assert "x-request-id: ticket-4711\n" in response_headers(grpcurl, "ticket-4711")


def test_a_request_id_that_is_too_long_is_replaced(grpcurl: Grpcurl):
    headers = response_headers(grpcurl, "x" * 129)
    assert "x-request-id: " in headers
    assert "x" * 129 not in headers


def test_the_proto_files_alone_show_the_details_of_an_error(grpcurl: Grpcurl):
    files = ("-import-path", str(PROTOS), "-proto", "tapegate/v1/tape_service.proto")
    refused = grpcurl.call("ListTapes", {"limit": -1}, flags=files)
    assert refused.detail("ErrorInfo")["reason"] == "INVALID_REQUEST"
    assert [violation["field"] for violation in refused.detail("BadRequest")["fieldViolations"]] == ["limit"]
