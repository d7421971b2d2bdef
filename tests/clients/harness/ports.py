"""Addresses of this machine for programs that cannot choose a free port themselves."""

import random
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

STARTS_WITHIN = 30.0
# Below the ports that Linux gives to connections and to listeners of port 0, which could be one of these next.
PORTS = range(20_000, 32_000)


def free_address() -> str:
    while True:
        port = random.choice(PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return f"127.0.0.1:{port}"


def wait_for(address: str, process: subprocess.Popen, log: Path):
    """Returns once the process accepts connections."""
    ends = time.monotonic() + STARTS_WITHIN
    host, _, port = address.rpartition(":")
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1.0).close()
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < ends, log.read_text()
            time.sleep(0.05)
