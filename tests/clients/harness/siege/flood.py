"""Many raw connections that are written to from prebuilt buffers, as fast as the service takes them."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

# Apart from that of the neighbours, because the service limits the connections of an address.
ATTACKERS_ADDRESS = "127.0.0.66"
# Between two passes over the connections when none takes anything.
PAUSE = 0.002

Buffers = Iterator[bytes]


@dataclass
class Done:
    """What an attack has done."""

    connections: int = 0
    refused: int = 0
    megabytes: float = 0.0


@dataclass
class Connection:
    """A connection of an attacker, which does not block."""

    target: tuple[str, int]
    buffers: Buffers
    reads: bool
    left: memoryview = field(default_factory=lambda: memoryview(b""))

    def __post_init__(self):
        self.socket = socket.create_connection(self.target, timeout=5, source_address=(ATTACKERS_ADDRESS, 0))
        self.socket.setblocking(False)

    def step(self) -> int:
        """Writes what the service takes at once, and reads what is there; the bytes written.

        Raises OSError when the connection has ended.
        """
        if not self.left:
            self.left = memoryview(next(self.buffers, b""))
        written = 0
        with suppress(BlockingIOError):
            if self.left:
                written = self.socket.send(self.left)
                self.left = self.left[written:]
        with suppress(BlockingIOError):
            if self.reads and not self.socket.recv(1 << 16):
                raise ConnectionResetError
        return written


def flood(
    target: tuple[str, int],
    seconds: float,
    connections: int,
    buffers: Callable[[], Buffers],
    reads: bool = True,
    every: float = 0,
) -> Done:
    """Writes the buffers on so many connections, without a pause or `every` so many seconds. A connection that the
    service closes is opened again."""
    done, ends = Done(), time.monotonic() + seconds
    opened: list[Connection | None] = [None] * connections
    while time.monotonic() < ends:
        progress = 0
        for n, connection in enumerate(opened):
            try:
                if connection is None:
                    opened[n] = connection = Connection(target, buffers(), reads)
                    done.connections += 1
                progress += connection.step()
            except OSError:
                if connection is not None:
                    connection.socket.close()
                opened[n] = None
                done.refused += 1
            if time.monotonic() > ends:
                break
        done.megabytes += progress / 1e6
        if every or not progress:
            time.sleep(every or PAUSE)
    for connection in filter(None, opened):
        connection.socket.close()
    return done
