"""`tapegate serve` over an AWS of the test's own."""

import json
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness.process import Tapegate
from harness.seeds import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY

CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY}


@contextmanager
def silent_upstream() -> Iterator[str]:
    """An endpoint that takes connections and requests, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        host, port = listener.getsockname()
        yield f"http://{host}:{port}"


class HangingUpstream:
    """An AWS that reads requests and never answers, and sees who stays connected."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.endpoint = "http://{}:{}".format(*self._listener.getsockname())
        self._changed = threading.Condition()
        self._asked: list[str] = []
        self._open = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._hold, args=(connection,), daemon=True).start()

    def _hold(self, connection: socket.socket):
        """Until the service closes it."""
        self._note(1)
        with connection, suppress(ConnectionError):
            while some := connection.recv(1 << 16):
                for operation in re.findall(rb"x-amz-target: \w+\.(\w+)", some, re.IGNORECASE):
                    self._note(0, operation.decode())
        self._note(-1)

    def _note(self, more: int, operation: str | None = None):
        with self._changed:
            self._open += more
            self._asked += [operation] if operation else []
            self._changed.notify_all()

    def asked(self, operation: str) -> int:
        """How often it was asked for that."""
        with self._changed:
            return self._asked.count(operation)

    def is_left_within(self, seconds: float) -> bool:
        """Whether the last connection is closed by then."""
        with self._changed:
            return self._changed.wait_for(lambda: self._open == 0, seconds)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._listener.close()


class ScriptedUpstream:
    """An AWS that gives these answers, each a status and a body, one after the other, and keeps the heads of what it
    was asked."""

    def __init__(self, *answers: tuple[int, dict]):
        self.heads: list[Message] = []
        scripted, script = self, iter(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                scripted.heads.append(self.headers)
                self.rfile.read(int(self.headers["Content-Length"]))
                status, body = next(script)
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = "http://{}:{}".format(*self._server.server_address)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._server.shutdown()
        self._server.server_close()


def serve(upstream: str, *arguments: str, listen: str = "127.0.0.1:0", env: Mapping[str, str] = {}) -> Tapegate:
    """`tapegate serve` for anybody, on ports of its own, over `upstream`."""
    return serve_known(upstream, "--allow-anonymous", *arguments, listen=listen, env=env)


def serve_known(upstream: str, *arguments: str, listen: str = "127.0.0.1:0", env: Mapping[str, str] = {}) -> Tapegate:
    """The same for the callers whom the arguments make known."""
    return Tapegate(
        "serve",
        f"--listen={listen}",
        "--admin-listen=127.0.0.1:0",
        f"--region={REGION}",
        f"--upstream-endpoint={upstream}",
        *arguments,
        env=CREDENTIALS | dict(env),
    )
