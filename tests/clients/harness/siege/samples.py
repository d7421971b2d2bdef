"""Memory and descriptors of a running program, sampled from /proc."""

import os
import threading
from dataclasses import dataclass

EVERY = 0.1


@dataclass(frozen=True)
class Sample:
    megabytes: float
    descriptors: int


def sample(pid: int) -> Sample:
    with open(f"/proc/{pid}/status") as status:
        (rss,) = [line.split()[1] for line in status if line.startswith("VmRSS:")]
    return Sample(int(rss) / 1024, len(os.listdir(f"/proc/{pid}/fd")))


class Sampler:
    """Samples a program while it is a context, and keeps the most."""

    def __init__(self, pid: int):
        self._pid = pid
        self._ended = threading.Event()
        self.most = sample(pid)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._ended.wait(EVERY):
            now = sample(self._pid)
            self.most = Sample(max(self.most.megabytes, now.megabytes), max(self.most.descriptors, now.descriptors))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        self._thread.join()
