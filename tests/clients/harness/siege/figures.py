"""Figures of a long run, printed as tables."""

import math
from collections.abc import Sequence


def quantile(values: Sequence[float], part: float) -> float:
    """The least value that is not exceeded by this part of all; NaN of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)] if ordered else math.nan


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"


class Table:
    """Rows that are printed as they come, for `pytest -s`."""

    def __init__(self, *columns: str):
        self._columns = columns
        self._began = False

    def add(self, *cells: object):
        if not self._began:
            self._began = True
            print()
            print("| " + " | ".join(self._columns) + " |")
            print("|" + "---|" * len(self._columns))
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
