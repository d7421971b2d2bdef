"""boto3's own paginators at many page sizes, with every way to stop and go on, against one walk by hand.

The sizes are a choice; TAPEGATE_PAGE_SIZES=all takes each from 1 to 1,000, as `tests/soak/run` does.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from harness import aws
from harness.process import emulator
from harness.seeds import GATEWAY, NO_GATEWAY, tape_arn

# Round the edges of what is there: 130 tapes in the library, 881 in the archive, 1,010 in all, 60 pools, 50 tags.
CHOSEN = [1, 7, 49, 50, 60, 100, 130, 441, 881, 999, 1000]
SIZES = range(1, 1001) if os.environ.get("TAPEGATE_PAGE_SIZES") == "all" else CHOSEN
SEEDED = 1010

# Of each paginated operation: what it is asked beside, and where the things are in its answer.
READINGS: dict[str, tuple[dict, str]] = {
    "list_tapes": ({}, "TapeInfos"),
    "describe_tapes": ({"GatewayARN": GATEWAY}, "Tapes"),
    "describe_tape_archives": ({}, "TapeArchives"),
    "list_tape_pools": ({}, "PoolInfos"),
    "list_gateways": ({}, "Gateways"),
    "list_tags_for_resource": ({"ResourceARN": GATEWAY}, "Tags"),
}
SOME = [tape_arn(f"TST{number:06}") for number in range(1, SEEDED, 9)]
FILTERED = {f"{reading}-filtered": (reading, {"TapeARNs": SOME}) for reading in [*READINGS][:3]}
WALKS = {reading: (reading, {}) for reading in READINGS} | FILTERED


class Walk:
    """One listing, by hand and by boto3's paginator."""

    def __init__(self, client, name: str):
        reading, more = WALKS[name]
        members, self.key = READINGS[reading]
        self._members = members | more
        self._call = getattr(client, reading)
        self._paginator = client.get_paginator(reading)

    def by_hand(self) -> list[Any]:
        found, marker = [], {}
        while True:
            page = self._call(**self._members, **marker)
            found += page[self.key]
            if "Marker" not in page:
                return found
            marker = {"Marker": page["Marker"]}

    def paginate(self, **config):
        return self._paginator.paginate(**self._members, PaginationConfig=config)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with emulator(f"--seed-tapes={SEEDED}") as running:
        client = aws.client(running.emulator)
        for number in range(59):
            client.create_tape_pool(PoolName=f"Pool {number}", StorageClass="GLACIER")
        tags = [{"Key": f"key {number:02}", "Value": str(number)} for number in range(50)]
        client.add_tags_to_resource(ResourceARN=GATEWAY, Tags=tags)
        yield client


@pytest.fixture(scope="module")
def wholes(client) -> dict[str, list]:
    return {name: Walk(client, name).by_hand() for name in WALKS}


def test_the_walks_by_hand_are_whole(client, wholes):
    assert {name: len(whole) for name, whole in wholes.items()} == {
        "list_tapes": 1010,
        "describe_tapes": 130,
        "describe_tape_archives": 881,
        "list_tape_pools": 60,
        "list_gateways": 1,
        "list_tags_for_resource": 50,
        "list_tapes-filtered": 113,
        "describe_tapes-filtered": 15,
        "describe_tape_archives-filtered": 98,
    }
    for name, whole in wholes.items():
        distinct = {str(sorted(thing.items(), key=str)) for thing in whole}
        assert len(distinct) == len(whole), name


def test_every_listing_operation_has_its_paginator_here(client):
    shapes = client.meta.service_model
    methods = client.meta.method_to_api_mapping
    tape_side = {"list_tape", "describe_tape", "list_gateways", "list_tags"}
    paginated = {method for method in methods if client.can_paginate(method) and method.startswith((*tape_side,))}
    # Recovery points are not emulated.
    assert paginated - {"describe_tape_recovery_points"} == set(READINGS)
    assert all("Marker" in shapes.operation_model(methods[method]).input_shape.members for method in READINGS)


@pytest.mark.parametrize("name", WALKS)
def test_every_page_size_gives_the_same(client, wholes, name):
    walk, whole = Walk(client, name), wholes[name]
    for size in SIZES:
        pages = [page[walk.key] for page in walk.paginate(PageSize=size)]
        assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1), size
        assert 0 < len(pages[-1]) <= size, size
        assert [thing for page in pages for thing in page] == whole, size


@pytest.mark.parametrize("name", WALKS)
@pytest.mark.parametrize(("most", "size"), [(1, 1), (3, 2), (10, 100), (99, 100), (100, 100), (101, 7), (500, 1000)])
def test_a_walk_that_stopped_goes_on_where_it_was(client, wholes, name, most, size):
    walk, whole = Walk(client, name), wholes[name]
    # The first steps from each end of the walk: one thing at a time would ask for each thing of thousands.
    found, token = [], None
    for _ in range(12):
        result = walk.paginate(MaxItems=most, PageSize=size, StartingToken=token).build_full_result()
        found += result[walk.key]
        assert found == whole[: len(found)]
        token = result.get("NextToken")
        assert (token is None) == (len(found) == len(whole))
        if token is None:
            break
        assert len(result[walk.key]) == most
    if token is not None:
        rest = walk.paginate(PageSize=1000, StartingToken=token).build_full_result()
        assert found + rest[walk.key] == whole


def test_a_larger_limit_than_a_page_takes_gets_the_largest_page(client):
    answer = client.list_tapes(Limit=2_000_000_000)
    assert len(answer["TapeInfos"]) == 1000 and answer["Marker"]


def test_a_walk_over_nothing_is_one_empty_page(client):
    [page] = client.get_paginator("list_tapes").paginate(TapeARNs=[tape_arn("NOSUCHTAPE")])
    assert page["TapeInfos"] == [] and "Marker" not in page
    with pytest.raises(client.exceptions.InvalidGatewayRequestException):
        list(client.get_paginator("describe_tapes").paginate(GatewayARN=NO_GATEWAY))


def test_a_walk_meets_each_tape_once_while_others_are_made():
    with emulator("--seed-tapes=150") as running:
        client = aws.client(running.emulator)
        before = {tape["TapeBarcode"] for tape in client.list_tapes(Limit=1000)["TapeInfos"]}
        met = []
        for page in client.get_paginator("list_tapes").paginate(PaginationConfig={"PageSize": 7}):
            met += [tape["TapeBarcode"] for tape in page["TapeInfos"]]
            for prefix in ("AAAA", "ZZZZ"):
                client.create_tapes(
                    GatewayARN=GATEWAY,
                    TapeSizeInBytes=100 << 30,
                    ClientToken=f"{prefix} {len(met)}",
                    NumTapesToCreate=1,
                    TapeBarcodePrefix=prefix,
                )
                assert len(met) < 1000, "the walk does not end"
        assert met == sorted(set(met)) and before <= set(met)
