"""What callers find several replicas by: a load balancer as in deploy/, names in DNS, a list of addresses."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc

from harness.balancers import BALANCERS
from harness.certificates import NAME as CERTIFIED
from harness.certificates import certificate
from harness.channel import DOCUMENTED_OPTIONS
from harness.dns import NAME, Dns
from harness.ports import free_address
from harness.siege.replicas import Replicas

ANYBODY = ("--allow-anonymous",)


@dataclass(frozen=True)
class Front:
    """The replicas, and a channel to them."""

    replicas: Replicas
    channel: Callable[[], grpc.Channel]


def plain(target: str, *more: tuple[str, object]) -> Callable[[], grpc.Channel]:
    return lambda: grpc.insecure_channel(target, options=[*DOCUMENTED_OPTIONS, *more])


@contextmanager
def balanced(name: str, aws: str, folder: Path, count: int = 2, flags: Sequence[str] = ANYBODY) -> Iterator[Front]:
    own = certificate(folder)
    listens = [free_address() for _ in range(count)]
    override = ("grpc.ssl_target_name_override", CERTIFIED)
    credentials = grpc.ssl_channel_credentials(own.cert.read_bytes())
    with Replicas(aws, listens, *own.flags(), *flags) as replicas, BALANCERS[name](folder, own, *listens) as address:
        options = [*DOCUMENTED_OPTIONS, override]
        yield Front(replicas, lambda: grpc.secure_channel(address, credentials, options=options))


@contextmanager
def dns(aws: str, _: Path, count: int = 2, flags: Sequence[str] = ANYBODY) -> Iterator[Front]:
    port = free_address().rpartition(":")[2]
    addresses = [f"127.0.0.{number + 1}" for number in range(count)]
    with (
        Replicas(aws, [f"{address}:{port}" for address in addresses], *flags) as replicas,
        Dns(NAME, addresses=addresses) as server,
    ):
        yield Front(replicas, plain(f"dns://{server.address}/{NAME}:{port}", ("grpc.enable_http_proxy", 0)))


@contextmanager
def static_list(aws: str, _: Path, count: int = 2, flags: Sequence[str] = ANYBODY) -> Iterator[Front]:
    listens = [free_address() for _ in range(count)]
    authority = ("grpc.default_authority", NAME)
    robin = ("grpc.lb_policy_name", "round_robin")
    with Replicas(aws, listens, *flags) as replicas:
        yield Front(replicas, plain(f"ipv4:{','.join(listens)}", authority, robin))


@contextmanager
def alone(aws: str, _: Path) -> Iterator[Front]:
    listen = free_address()
    with Replicas(aws, [listen], *ANYBODY) as replicas:
        yield Front(replicas, plain(listen))


FRONTS = {
    "nginx": partial(balanced, "nginx"),
    "haproxy": partial(balanced, "haproxy"),
    "dns": dns,
    "static list": static_list,
    "one alone": alone,
}
