"""The five operations, written as the author of a backup agent would."""

import pytest
from tapegate.v1 import tape_pb2, tape_service_pb2
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.seeds import CUSTOM_POOL, GATEWAY, SIZE, new_barcode, new_token, tape_arn

DEADLINE = 30


def described(tapes: TapeServiceStub, arns: list[str]) -> list[tape_pb2.Tape]:
    request = tape_service_pb2.DescribeTapesRequest(gateway_arn=GATEWAY, tape_arns=arns)
    return [tape for page in tapes.DescribeTapes(request, timeout=DEADLINE) for tape in page.tapes]


def test_a_tape_with_a_barcode_comes_back_with_all_it_was_made_with(tapes: TapeServiceStub):
    barcode = new_barcode()
    created = tapes.CreateTapeWithBarcode(
        tape_service_pb2.CreateTapeWithBarcodeRequest(
            gateway_arn=GATEWAY,
            tape_size_in_bytes=SIZE,
            tape_barcode=barcode,
            custom_pool_id=CUSTOM_POOL,
            kms_encrypted=True,
            kms_key="arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            worm=True,
            tags=[tape_pb2.Tag(key="owner", value="agent")],
        ),
        timeout=DEADLINE,
    )
    assert created.tape_arn == tape_arn(barcode)
    assert (created.pool_id, created.pool_id_text) == (tape_pb2.POOL_ID_UNSPECIFIED, CUSTOM_POOL)
    assert [(tag.key, tag.value) for tag in created.unconfirmed_tags] == [("owner", "agent")]

    (tape,) = described(tapes, [created.tape_arn])
    assert tape.tape_barcode == barcode
    assert tape.tape_size_in_bytes == SIZE
    assert tape.worm
    assert tape.kms_key.endswith("key/1234abcd-12ab-34cd-56ef-1234567890ab")
    assert (tape.pool_id, tape.pool_id_text) == (tape_pb2.POOL_ID_UNSPECIFIED, CUSTOM_POOL)
    assert tape.tape_status in (tape_pb2.TAPE_STATUS_CREATING, tape_pb2.TAPE_STATUS_AVAILABLE)
    assert tape.HasField("tape_created_date")
    assert not tape.HasField("progress")


@pytest.mark.parametrize(
    ("pool", "word"), [(tape_pb2.POOL_ID_GLACIER, "GLACIER"), (tape_pb2.POOL_ID_DEEP_ARCHIVE, "DEEP_ARCHIVE")]
)
def test_repeating_create_tapes_with_its_token_makes_no_more(tapes: TapeServiceStub, pool, word: str):
    request = tape_service_pb2.CreateTapesRequest(
        gateway_arn=GATEWAY,
        tape_size_in_bytes=SIZE,
        client_token=new_token(),
        num_tapes_to_create=2,
        tape_barcode_prefix="PY",
        pool_id=pool,
    )
    first = tapes.CreateTapes(request, timeout=DEADLINE)
    again = tapes.CreateTapes(request, timeout=DEADLINE)
    assert list(again.tape_arns) == list(first.tape_arns)
    assert (first.pool_id, first.pool_id_text) == (pool, word)

    made = described(tapes, list(first.tape_arns))
    assert sorted(tape.tape_arn for tape in made) == sorted(first.tape_arns)
    assert {(tape.pool_id, tape.pool_id_text) for tape in made} == {(pool, word)}


def test_named_tapes_that_do_not_come_are_missing_in_the_last_message(tapes: TapeServiceStub):
    nowhere = tape_arn("NONE0001")
    arns = [tape_arn("TST000001"), nowhere, tape_arn("TST000003")]
    request = tape_service_pb2.ListTapesRequest(tape_arns=arns, limit=1)
    *before, last = tapes.ListTapes(request, timeout=DEADLINE)
    assert [list(page.missing_tape_arns) for page in before] == [[]] * len(before)
    assert list(last.missing_tape_arns) == [nowhere]
    assert last.marker == ""


def test_the_archive_knows_when_each_tape_was_archived(tapes: TapeServiceStub):
    pages = tapes.DescribeTapeArchives(tape_service_pb2.DescribeTapeArchivesRequest(), timeout=DEADLINE)
    archived = [
        tape for page in pages for tape in page.tape_archives if tape.tape_status == tape_pb2.TAPE_STATUS_ARCHIVED
    ]
    assert archived
    for tape in archived:
        assert tape.tape_status_text
        assert tape.HasField("completion_time")
        assert tape.tape_created_date.seconds <= tape.completion_time.seconds


def test_a_list_shows_library_and_archive(tapes: TapeServiceStub):
    pages = tapes.ListTapes(tape_service_pb2.ListTapesRequest(), timeout=DEADLINE)
    statuses = {info.tape_status for page in pages for info in page.tape_infos}
    assert {tape_pb2.TAPE_STATUS_AVAILABLE, tape_pb2.TAPE_STATUS_ARCHIVED} <= statuses


def test_trailers_come_with_success(tapes: TapeServiceStub):
    """Of a stream they count every page that was asked for."""
    call = tapes.ListTapes(tape_service_pb2.ListTapesRequest(limit=10, max_items=30), timeout=DEADLINE)
    assert sum(len(page.tape_infos) for page in call) == 30
    trailers = dict(call.trailing_metadata())
    assert int(trailers["x-tapegate-attempts"]) >= 3
    assert trailers["x-amzn-requestid"]
