"""`tapegate serve` over an AWS of the test's own."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from harness.process import Tapegate
from harness.seeds import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY

CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY}


@contextmanager
def silent_upstream() -> Iterator[str]:
    """An endpoint that takes connections and requests, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        host, port = listener.getsockname()
        yield f"http://{host}:{port}"


def serve(upstream: str, *arguments: str, env: Mapping[str, str] = {}) -> Tapegate:
    """`tapegate serve` for anybody, on ports of its own, over `upstream`."""
    return Tapegate(
        "serve",
        "--listen=127.0.0.1:0",
        "--admin-listen=127.0.0.1:0",
        "--allow-anonymous",
        f"--region={REGION}",
        f"--upstream-endpoint={upstream}",
        *arguments,
        env=CREDENTIALS | dict(env),
    )
