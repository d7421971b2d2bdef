"""A real nginx in front of services, with the sizes of its buffers left at their defaults."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.ports import free_address, wait_for
from harness.process import ENDS_WITHIN

CONFIG = """\
daemon off;
master_process off;
pid {folder}/pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream tapegate {{ {servers} }}
    server {{
        listen {address} http2;
        location / {{ grpc_pass grpc://tapegate; }}
    }}
}}
"""


@contextmanager
def nginx(folder: Path, *services: str) -> Iterator[str]:
    """nginx before these gRPC addresses; its own address."""
    address = free_address()
    servers = " ".join(f"server {service};" for service in services)
    (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, servers=servers, address=address))
    with (folder / "nginx.log").open("w") as log:
        command = ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_for(address, process, folder / "nginx.log")
        yield address
    finally:
        process.terminate()
        process.wait(ENDS_WITHIN)
