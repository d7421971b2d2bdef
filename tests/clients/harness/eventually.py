"""Waiting for what no event announces."""

import time
from collections.abc import Callable


def wait_until(holds: Callable[[], bool], within: float = 30.0):
    ends = time.monotonic() + within
    while not holds():
        assert time.monotonic() < ends, f"not within {within} s"
        time.sleep(0.02)
