"""A real Redis or Valkey, which keeps its keys in memory alone."""

import re
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.certificates import Certificate
from harness.paths import ROOT
from harness.ports import free_address, wait_for
from harness.process import ENDS_WITHIN, plant

SERVERS = ("redis-server", "valkey-server")
PASSWORD = "password-of-the-store-of-the-tests"


@dataclass
class Store:
    """A server that can be stopped and started again at its address."""

    command: Sequence[str | Path]
    address: str
    log: Path
    process: subprocess.Popen | None = None

    def start(self):
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self.address, self.process, self.log)

    def ask(self, command: str) -> str:
        """What it answers to a command of its administrator."""
        host, _, port = self.address.rpartition(":")
        with socket.create_connection((host, int(port))) as connection, connection.makefile("rb") as answers:
            connection.sendall(f"AUTH {PASSWORD}\r\n{command}\r\nQUIT\r\n".encode())
            return answers.read().decode()

    def close_connections(self):
        """As it does with those that are idle."""
        self.ask("CLIENT KILL TYPE normal SKIPME yes")

    def has_run(self, scripts: int) -> bool:
        """Whether it has run so many scripts."""
        said = self.ask("INFO commandstats")
        found = re.search(r"cmdstat_evalsha:calls=(\d+),.*,failed_calls=(\d+)", said)
        return found is not None and int(found[1]) - int(found[2]) == scripts

    def kill(self):
        self.process.kill()
        self.process.wait(ENDS_WITHIN)


@contextmanager
def store(server: str, folder: Path, certificate: Certificate | None = None) -> Iterator[Store]:
    """With the user that docs/operations.md has, and with TLS if there is a certificate."""
    address = free_address()
    port = address.rpartition(":")[2]
    password = folder / "store.password"
    password.write_text(f"{PASSWORD}\n")
    plant(PASSWORD)
    page = (ROOT / "docs" / "operations.md").read_text()
    (documented,) = re.findall(r"^ *user tapegate .*$", page, re.MULTILINE)
    user = [f"--{documented.split()[0]}", *documented.replace("PASSWORD", PASSWORD).split()[1:]]
    listen = ["--port", port]
    if certificate:
        files = ["--tls-cert-file", certificate.cert, "--tls-key-file", certificate.key]
        listen = ["--port", "0", "--tls-port", port, *files, "--tls-auth-clients", "no"]
    quiet = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--requirepass", PASSWORD]
    running = Store([server, *listen, *quiet, *user], address, folder / "store.log")
    running.start()
    try:
        yield running
    finally:
        running.kill()


def flags(of: Store, *more: str, name: str = "redis") -> list[str]:
    """Of a service that counts there."""
    return [
        f"--limits-shared-url={name}://{of.address}",
        "--limits-shared-username=tapegate",
        f"--limits-shared-password-file={of.log.parent / 'store.password'}",
        *more,
    ]
