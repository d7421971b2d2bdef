"""All five operations, typed by hand."""

import pytest

from harness.grpcurl import Grpcurl
from harness.seeds import CUSTOM_POOL, GATEWAY, SIZE, new_barcode, new_token, tape_arn

# The pool as a request names it, and as answers show it: the number's name and the upstream's word.
POOLS = [
    pytest.param({"poolId": "POOL_ID_GLACIER"}, ("POOL_ID_GLACIER", "GLACIER"), id="GLACIER"),
    pytest.param({"poolId": "POOL_ID_DEEP_ARCHIVE"}, ("POOL_ID_DEEP_ARCHIVE", "DEEP_ARCHIVE"), id="DEEP_ARCHIVE"),
    pytest.param({"customPoolId": CUSTOM_POOL}, (None, CUSTOM_POOL), id="custom"),
    pytest.param({}, None, id="none"),
]


def pool_of(tape: dict) -> tuple[str | None, str | None]:
    """The pool as shown. proto3's JSON leaves POOL_ID_UNSPECIFIED out."""
    return tape.get("poolId"), tape.get("poolIdText")


def check_pool(tape: dict, shown: tuple[str | None, str] | None):
    """None: the caller named no pool, AWS chose. The two forms have to agree all the same."""
    number, text = pool_of(tape)
    if shown is None:
        assert text is None or number in (None, f"POOL_ID_{text}")
    else:
        assert (number, text) == shown


def read_back(grpcurl: Grpcurl, arns: list[str], shown: tuple[str | None, str] | None):
    described = grpcurl.call("DescribeTapes", {"gatewayArn": GATEWAY, "tapeArns": arns}).messages
    tapes = [tape for page in described for tape in page.get("tapes", [])]
    assert sorted(tape["tapeArn"] for tape in tapes) == sorted(arns)

    listed = grpcurl.call("ListTapes", {"tapeArns": arns}).messages
    infos = [info for page in listed for info in page.get("tapeInfos", [])]
    assert sorted(info["tapeArn"] for info in infos) == sorted(arns)

    for tape in tapes + infos:
        assert tape["tapeSizeInBytes"] == str(SIZE)
        check_pool(tape, shown)
    for info in infos:
        assert info["gatewayArn"] == GATEWAY
    # Whatever an omitted pool becomes, both operations show the same.
    assert {pool_of(tape) for tape in tapes} == {pool_of(info) for info in infos}


@pytest.mark.parametrize(("pool", "shown"), POOLS)
def test_create_tape_with_barcode_and_read_it_back(grpcurl: Grpcurl, pool: dict, shown):
    barcode = new_barcode()
    request = {"gatewayArn": GATEWAY, "tapeSizeInBytes": SIZE, "tapeBarcode": barcode, **pool}
    created = grpcurl.call("CreateTapeWithBarcode", request).message
    assert created["tapeArn"] == tape_arn(barcode)
    assert pool_of(created) == (shown or (None, None))
    read_back(grpcurl, [created["tapeArn"]], shown)


@pytest.mark.parametrize(("pool", "shown"), POOLS)
def test_create_tapes_repeat_them_by_token_and_read_them_back(grpcurl: Grpcurl, pool: dict, shown):
    request = {
        "gatewayArn": GATEWAY,
        "tapeSizeInBytes": SIZE,
        "clientToken": new_token(),
        "numTapesToCreate": 3,
        "tapeBarcodePrefix": "GRPC",
        **pool,
    }
    arns = grpcurl.call("CreateTapes", request).message["tapeArns"]
    assert len(set(arns)) == 3
    assert all(arn.startswith(tape_arn("GRPC")) for arn in arns)

    repeated = grpcurl.call("CreateTapes", request).message["tapeArns"]
    assert repeated == arns
    read_back(grpcurl, arns, shown)


def test_describe_tape_archives_shows_the_archive(grpcurl: Grpcurl):
    pages = grpcurl.call("DescribeTapeArchives", {}).messages
    archived = [tape for page in pages for tape in page.get("tapeArchives", [])]
    assert "TAPE_STATUS_ARCHIVED" in {tape["tapeStatus"] for tape in archived}
    assert {"GLACIER", "DEEP_ARCHIVE", CUSTOM_POOL} <= {tape.get("poolIdText") for tape in archived}
    assert "marker" not in pages[-1]


def test_list_tapes_pages_by_limit_and_stops_at_max_items(grpcurl: Grpcurl):
    """Ten tapes, three to a page, seven wanted: 3, 3, 1, and a marker that goes on after the seventh."""
    created = {
        "gatewayArn": GATEWAY,
        "tapeSizeInBytes": SIZE,
        "tapeBarcodePrefix": "PAGE",
        "numTapesToCreate": 10,
    }
    arns = grpcurl.call("CreateTapes", {**created, "clientToken": new_token()}).message["tapeArns"]

    wanted = {"tapeArns": arns, "limit": 3}
    pages = grpcurl.call("ListTapes", {**wanted, "maxItems": 7}).messages
    assert [len(page["tapeInfos"]) for page in pages] == [3, 3, 1]
    assert all(page["marker"] for page in pages)

    rest = grpcurl.call("ListTapes", {**wanted, "marker": pages[-1]["marker"]}).messages
    assert [len(page["tapeInfos"]) for page in rest] == [3]
    assert "marker" not in rest[-1]

    seen = [info["tapeArn"] for page in pages + rest for info in page["tapeInfos"]]
    assert sorted(seen) == sorted(arns)
