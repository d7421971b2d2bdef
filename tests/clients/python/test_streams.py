"""Long lists: walked, cut off, resumed, and left alone for a while."""

import os
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tapegate.v1 import tape_service_pb2
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.process import Tapegate, dev

SEEDED = 10_000


@pytest.fixture(scope="module")
def large() -> Iterator[Tapegate]:
    with dev(env={"TAPEGATE_EMULATOR_SEED_TAPES": str(SEEDED)}) as running:
        yield running


@pytest.fixture(scope="module")
def many(large: Tapegate) -> Iterator[TapeServiceStub]:
    with grpc.insecure_channel(large.grpc) as channel:
        yield TapeServiceStub(channel)


def pages(many: TapeServiceStub, **request) -> grpc.Future:
    return many.ListTapes(tape_service_pb2.ListTapesRequest(**request), timeout=120)


def arns(pages) -> list[str]:
    return [info.tape_arn for page in pages for info in page.tape_infos]


def test_ten_thousand_tapes_are_each_seen_once(many: TapeServiceStub):
    seen = arns(pages(many, limit=1000))
    assert len(seen) == SEEDED
    assert len(set(seen)) == SEEDED


@pytest.mark.parametrize("limit", [0, 7, 1000])
def test_the_page_size_does_not_change_what_is_listed(many: TapeServiceStub, limit: int):
    assert arns(pages(many, limit=limit, max_items=1500)) == arns(pages(many, limit=250, max_items=1500))


def test_max_items_ends_with_a_marker_that_goes_on(many: TapeServiceStub):
    whole = arns(pages(many, limit=1000))

    *_, last = first = list(pages(many, limit=100, max_items=4321))
    assert len(arns(first)) == 4321
    assert last.marker

    rest = list(pages(many, limit=1000, marker=last.marker))
    assert arns(first) + arns(rest) == whole
    assert rest[-1].marker == ""


def test_a_caller_who_cancelled_resumes_with_the_last_marker_seen(many: TapeServiceStub):
    whole = arns(pages(many, limit=1000))

    call = pages(many, limit=50)
    seen = [next(call), next(call), next(call)]
    call.cancel()
    with pytest.raises(grpc.RpcError) as cancelled:
        list(call)
    assert cancelled.value.code() == grpc.StatusCode.CANCELLED

    rest = pages(many, limit=1000, marker=seen[-1].marker)
    assert arns(seen) + arns(rest) == whole


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads the memory of the process from /proc")
def test_readers_who_pause_cost_no_memory(large: Tapegate):
    """Forty lists begun and left after the first page: all of the pages, held for all of them, would be
    about 60 MiB; what the windows of HTTP/2 hold is a fraction of that."""

    def resident() -> int:
        statm = Path(f"/proc/{large.pid}/statm").read_text().split()
        return int(statm[1]) * os.sysconf("SC_PAGE_SIZE")

    with grpc.insecure_channel(large.grpc) as channel:
        stub = TapeServiceStub(channel)
        arns(pages(stub, limit=100))
        before = resident()
        paused = [pages(stub, limit=100) for _ in range(40)]
        for call in paused:
            assert next(call).tape_infos
        assert resident() - before < 20 << 20
        for call in paused:
            assert len(arns(call)) == SEEDED - 100
