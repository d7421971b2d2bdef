"""A DNS server for one name: its addresses are this machine's, and it has one TXT record."""

import re
import socket
import struct
import threading
from collections.abc import Sequence
from contextlib import suppress

from harness.paths import ROOT

A, TXT, OPT = 1, 16, 41
# The name that docs/service-config.md publishes its record for.
NAME = "tapegate.example.com"


def published() -> list[bytes]:
    """The strings of the TXT record on that page."""
    page = (ROOT / "docs" / "service-config.md").read_text()
    record = page.split("```dns\n")[1].split("```")[0]
    assert record.startswith(f"_grpc_config.{NAME}. ")
    return [text.replace('\\"', '"').encode() for text in re.findall(r'^ *"(.*)"$', record, re.MULTILINE)]


class Dns:
    """Answers over UDP until it is closed."""

    def __init__(self, name: str, txt: list[bytes] = [], addresses: Sequence[str] = ("127.0.0.1",)):
        self._name, self._txt, self._addresses = name, txt, addresses
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self._socket.getsockname())
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with suppress(OSError):
            while True:
                query, peer = self._socket.recvfrom(4096)
                self._socket.sendto(self._answer(query), peer)

    def _answer(self, query: bytes) -> bytes:
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode())
            at += 1 + length
        question = query[12 : at + 5]
        (kind,) = struct.unpack_from("!H", query, at + 1)
        name = ".".join(labels).lower()
        records = []
        if name == self._name and kind == A:
            records = [socket.inet_aton(address) for address in self._addresses]
        elif name == f"_grpc_config.{self._name}" and kind == TXT and self._txt:
            records = [b"".join(bytes([len(text)]) + text for text in self._txt)]
        # Each with a pointer to the question's name, and a minute to live.
        answers = [struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(data)) + data for data in records]
        head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, len(answers), 0, 1)
        # Answers may have 4,096 bytes (EDNS).
        return head + question + b"".join(answers) + b"\0" + struct.pack("!HHIH", OPT, 4096, 0, 0)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._socket.close()
