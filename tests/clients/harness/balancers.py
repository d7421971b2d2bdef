"""nginx and HAProxy in front of replicas, with the configurations of deploy/."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harness.certificates import Certificate
from harness.paths import ROOT
from harness.ports import free_address, wait_for
from harness.process import ENDS_WITHIN

# What nginx needs around the shipped file, in a folder of its own and without a daemon.
NGINX = """\
daemon off;
master_process off;
pid {folder}/pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/tapegate.conf;
}}
"""
# The addresses of the examples.
REPLICAS = ("10.0.0.11:50051", "10.0.0.12:50051")


def shipped(name: str, changes: Mapping[str, str], replicas: tuple[str, ...]) -> str:
    """A file of deploy/ for these replicas, each with a line as that of the first example."""
    lines = (ROOT / "deploy" / name).read_text().splitlines(keepends=True)
    (example,) = (line for line in lines if REPLICAS[0] in line)
    (other,) = (line for line in lines if REPLICAS[1] in line)
    lines.remove(other)
    # HAProxy names its servers.
    named = [
        example.replace(REPLICAS[0], replica).replace(" a ", f" replica{number} ")
        for number, replica in enumerate(replicas)
    ]
    text = "".join(lines).replace(example, "".join(named))
    for old, new in changes.items():
        assert old in text, f"{old} is not in deploy/{name}"
        text = text.replace(old, new)
    return text


@contextmanager
def running(command: list[str | Path], address: str, log: Path) -> Iterator[str]:
    with log.open("w") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    try:
        wait_for(address, process, log)
        yield address
    finally:
        process.terminate()
        process.wait(ENDS_WITHIN)


@contextmanager
def nginx(folder: Path, certificate: Certificate, *replicas: str) -> Iterator[str]:
    """nginx before the replicas; its own address."""
    address = free_address()
    changes = {
        "listen 50051": f"listen {address}",
        "/etc/nginx/tapegate.pem": str(certificate.cert),
        "/etc/nginx/tapegate.key": str(certificate.key),
        "/etc/nginx/replicas.pem": str(certificate.cert),
    }
    (folder / "tapegate.conf").write_text(shipped("nginx/tapegate.conf", changes, replicas))
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
    command = ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
    with running(command, address, folder / "nginx.log"):
        yield address


@contextmanager
def haproxy(folder: Path, certificate: Certificate, *replicas: str) -> Iterator[str]:
    """HAProxy before the replicas; its own address."""
    address = free_address()
    changes = {
        "bind :50051": f"bind {address}",
        "/etc/haproxy/tapegate.pem": str(certificate.both),
        "/etc/haproxy/replicas.pem": str(certificate.cert),
    }
    (folder / "haproxy.cfg").write_text(shipped("haproxy/haproxy.cfg", changes, replicas))
    with running(["haproxy", "-db", "-f", folder / "haproxy.cfg"], address, folder / "haproxy.log"):
        yield address


Balancer = Callable[..., "contextmanager[str]"]
BALANCERS: dict[str, Balancer] = {"nginx": nginx, "haproxy": haproxy}
