"""A relay in front of a server that can go silent: it swallows what comes, and closes nothing."""

import socket
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
