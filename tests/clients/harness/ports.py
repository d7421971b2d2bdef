"""Addresses of this machine for programs that cannot choose a free port themselves."""

import socket
import subprocess
import time
from pathlib import Path

STARTS_WITHIN = 30.0


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        host, port = probe.getsockname()
    return f"{host}:{port}"


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
