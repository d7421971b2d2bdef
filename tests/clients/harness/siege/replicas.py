"""Replicas of one service before one AWS, which restart one after the other."""

import time
from collections.abc import Sequence

from harness.process import Tapegate
from harness.siege.scale import DEFAULTS
from harness.upstream import serve_known


class Replicas:
    """Each at an address that it keeps."""

    def __init__(self, aws: str, listens: Sequence[str], *arguments: str):
        self._aws, self._listens, self._arguments = aws, listens, arguments
        self._running = [self._start(listen) for listen in listens]

    def _start(self, listen: str) -> Tapegate:
        return serve_known(self._aws, *self._arguments, listen=listen, env=DEFAULTS)

    def restart(self, n: int):
        """SIGTERM, and another process as soon as the port is free."""
        self.stop(n)
        self._running[n] = self._start(self._listens[n])

    def stop(self, n: int):
        self._running[n].ask_to_end()
        assert self._running[n].wait() == 0, self._running[n].stderr

    def roll(self, restarts: int, between: float):
        """So many restarts, of one after the other, with a pause between them."""
        for n in range(restarts):
            time.sleep(between)
            self.restart(n % len(self._running))

    def all_gone(self, seconds: float):
        """An outage of all."""
        for n in range(len(self._running)):
            self.stop(n)
        time.sleep(seconds)
        self._running = [self._start(listen) for listen in self._listens]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for running in self._running:
            running.ask_to_end()
            running.wait()
