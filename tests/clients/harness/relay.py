"""Relays in front of a server: one that can go silent, and one that resets connections."""

import socket
import struct
import threading
from contextlib import suppress


class Relay:
    """Forwards to `server`. Connections that are open when it is told to `swallow` stay open, and pass nothing any
    more; later ones are forwarded."""

    def __init__(self, server: str):
        host, _, port = server.rpartition(":")
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self._listener.getsockname())
        self._swallowed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow(self):
        self._swallowed.set()
        self._swallowed = threading.Event()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client, self._swallowed), daemon=True).start()

    def _serve(self, client: socket.socket, swallowed: threading.Event):
        with client, socket.create_connection(self._server) as server:
            back = threading.Thread(target=self._forward, args=(server, client, swallowed), daemon=True)
            back.start()
            self._forward(client, server, swallowed)
            back.join()

    @staticmethod
    def _forward(source: socket.socket, sink: socket.socket, swallowed: threading.Event):
        with suppress(OSError):
            while some := source.recv(1 << 16):
                if not swallowed.is_set():
                    sink.sendall(some)
            if not swallowed.is_set():
                sink.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._listener.close()


class CuttingRelay(Relay):
    """Resets each of the first connections after so many bytes to the client."""

    def __init__(self, server: str, cuts: int, after: int):
        self.cuts_left, self._after = cuts, after
        super().__init__(server)

    def _serve(self, client: socket.socket, swallowed: threading.Event):
        with client, socket.create_connection(self._server) as server:
            threading.Thread(target=self._forward, args=(client, server, swallowed), daemon=True).start()
            passed = 0
            with suppress(OSError):
                while some := server.recv(1 << 12):
                    client.sendall(some)
                    passed += len(some)
                    if self.cuts_left and passed > self._after:
                        self.cuts_left -= 1
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        # Or the thread that reads from the client keeps the socket open.
                        client.shutdown(socket.SHUT_RD)
                        return
