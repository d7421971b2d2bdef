"""Failures of the world around a service: each a service of its own, which suffers it from its start, and its calls."""

import base64
import json
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
from tapegate.v1 import tape_service_pb2 as pb
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness import aws
from harness.details import error_info
from harness.paths import ROOT
from harness.ports import free_address
from harness.process import Tapegate, dev, emulator, make_token
from harness.seeds import ACCOUNT, GATEWAY, SIZE, new_token
from harness.upstream import serve, silent_upstream

AWS_JSON = "application/x-amz-json-1.1"
# Attempts end soon enough for many of them, and outages are remembered.
QUICK = [
    "--upstream-attempt-timeout=500ms",
    "--upstream-create-timeout=500ms",
    "--upstream-connect-timeout=400ms",
    "--upstream-credentials-pause=1s",
]
EVERY = 0.3


@dataclass
class World:
    """A service with its failure."""

    service: Tapegate
    # Of calls with a bearer token; None where everybody may call.
    token: str | None = None
    # A certificate authority, where the service has TLS.
    ca: bytes | None = None
    calls: Counter = field(default_factory=Counter)
    # Creates as well, or lists alone.
    creates: bool = True
    # When the callers stop; None: never.
    quiet_after: float | None = None
    # The service is killed after so many seconds.
    killed_after: float | None = None

    def channel(self) -> grpc.Channel:
        if self.ca is None:
            return grpc.insecure_channel(self.service.grpc)
        name = [("grpc.ssl_target_name_override", "localhost")]
        return grpc.secure_channel(self.service.grpc, grpc.ssl_channel_credentials(self.ca), name)

    def call(self, until: threading.Event):
        """Calls until the event, and counts how the calls end."""
        began = time.monotonic()
        metadata = [("authorization", f"Bearer {self.token}")] if self.token else []
        with self.channel() as channel:
            stub = TapeServiceStub(channel)
            while not until.wait(EVERY):
                age = time.monotonic() - began
                if self.killed_after and age > self.killed_after:
                    self.service.kill()
                    return
                if self.quiet_after and age > self.quiet_after:
                    continue
                self.calls[
                    ended(lambda: list(stub.ListTapes(pb.ListTapesRequest(limit=1000), metadata=metadata, timeout=8)))
                ] += 1
                if self.creates:
                    self.calls[ended(lambda: stub.CreateTapes(one(), metadata=metadata, timeout=8))] += 1

    def failure(self) -> str:
        """How most of the failed calls ended; empty if none failed."""
        failed = Counter({end: count for end, count in self.calls.items() if end != "OK"})
        return failed.most_common(1)[0][0] if failed else ""


def one() -> pb.CreateTapesRequest:
    return pb.CreateTapesRequest(
        gateway_arn=GATEWAY,
        tape_size_in_bytes=SIZE,
        client_token=new_token(),
        num_tapes_to_create=1,
        tape_barcode_prefix="WRLD",
    )


def ended(call: Callable) -> str:
    """How a call ends: OK, or code and reason."""
    try:
        call()
    except grpc.RpcError as error:
        return f"{error.code().name} {error_info(error).reason}".rstrip()
    return "OK"


@contextmanager
def answering(status: int, content_type: str, body: str) -> Iterator[str]:
    """An upstream that answers everything with this."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield "http://{}:{}".format(*server.server_address)
    finally:
        server.shutdown()
        server.server_close()


def aws_error(code: str, status: int = 400) -> tuple[int, str, str]:
    return status, AWS_JSON, json.dumps({"__type": code, "message": "of a test"})


def over(stack: ExitStack, status: int, content_type: str, body: str, *arguments: str) -> World:
    endpoint = stack.enter_context(answering(status, content_type, body))
    return World(stack.enter_context(serve(endpoint, *QUICK, *arguments)))


def faulty(stack: ExitStack, *arguments: str, **rule) -> World:
    """The emulator with a fault rule."""
    service = stack.enter_context(dev(*QUICK, *arguments))
    if rule:
        aws.Control(service.emulator).add_fault(**rule)
    return World(service)


def closed_port(stack: ExitStack, _: Path) -> World:
    return World(stack.enter_context(serve(f"http://{free_address()}", *QUICK)))


def hang(stack: ExitStack, _: Path) -> World:
    return World(stack.enter_context(serve(stack.enter_context(silent_upstream()), *QUICK)))


def one_of_two_regions(stack: ExitStack, folder: Path) -> World:
    refusing = stack.enter_context(answering(*aws_error("UnrecognizedClientException")))
    file = folder / "two-regions.toml"
    file.write_text(f'regions = ["us-east-1", "eu-west-1"]\n\n[[endpoint]]\nregion = "us-east-1"\nurl = "{refusing}"\n')
    well = stack.enter_context(emulator())
    return World(stack.enter_context(serve(f"http://{well.addresses['emulator']}", f"--config={file}", *QUICK)))


def refused_role(stack: ExitStack, folder: Path) -> World:
    role = f"arn:aws:iam::{ACCOUNT}:role/tapegate"
    (folder / "roles.toml").write_text(f'[[role]]\narn = "{role}"\nrefused = true\n')
    file = folder / "role.toml"
    file.write_text(f'[[account]]\nid = "{ACCOUNT}"\nalias = "main"\nrole = "{role}"\n')
    return faulty(stack, f"--config={file}", f"--emulator-config={folder / 'roles.toml'}")


def no_credentials(stack: ExitStack, _: Path) -> World:
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": "/nonexistent"}
    return World(stack.enter_context(serve(f"http://{free_address()}", *QUICK, env=none)))


def wrong_account(stack: ExitStack, _: Path) -> World:
    running = stack.enter_context(emulator())
    endpoint = f"http://{running.addresses['emulator']}"
    arguments = ["--account-id=210987654321", f"--upstream-sts-endpoint={endpoint}"]
    world = World(stack.enter_context(serve(endpoint, *arguments, *QUICK)))
    world.creates = False
    return world


def closed(stack: ExitStack, folder: Path, name: str, more: str = "", **changes) -> World:
    """A service with a token and policies, before an emulator."""
    tokens = folder / f"{name}-tokens.toml"
    token = make_token("operator", "tape-operators", file=tokens)
    policies = folder / f"{name}-policies"
    shutil.copytree(ROOT / "deploy" / "policies", policies)
    file = folder / f"{name}.toml"
    auth = f'[auth.tokens]\nfile = "{tokens}"\n\n[policy]\npath = "{policies}"\n'
    file.write_text(f'reload_interval = "50ms"\naccount_id = "{ACCOUNT}"\n{auth}{more}')
    return World(stack.enter_context(dev(f"--config={file}", *QUICK)), **({"token": token} | changes))


def unknown_token(stack: ExitStack, folder: Path) -> World:
    token = make_token("nobody", file=folder / "others.toml")
    return closed(stack, folder, "unknown", token=token)


def full_disk(stack: ExitStack, folder: Path) -> World:
    """No record can be written, as on a full disk: a directory takes the place of the audit file."""
    file = folder / "full-audit.jsonl"
    world = closed(stack, folder, "full", f'\n[audit]\nfile = "{file}"\n')
    file.rename(folder / "moved-audit.jsonl")
    file.mkdir()
    return world


def broken_policies(stack: ExitStack, folder: Path) -> World:
    world = closed(stack, folder, "broken")
    policy = folder / "broken-policies" / "roles.cedar"
    policy.write_text(policy.read_text() + "\nbroken\n")
    return world


def openssl(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=stdin, check=True, capture_output=True).stdout


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def issuer(jwks: str) -> str:
    return f'\n[[auth.jwt]]\nissuer = "https://issuer.example"\naudience = "tapegate"\njwks = "{jwks}"\n'


def jwt(key: Path) -> str:
    claims = {"iss": "https://issuer.example", "aud": "tapegate", "sub": "agent", "exp": int(time.time()) + 3600}
    parts = [{"alg": "RS256", "kid": "second"}, claims]
    signed = ".".join(base64url(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{base64url(openssl('dgst', '-sha256', '-sign', key, stdin=signed.encode()))}"


def wrong_key(stack: ExitStack, folder: Path) -> World:
    """The issuer signs with another key than the one that it publishes."""
    published, used = folder / "published.pem", folder / "used.pem"
    for key in (published, used):
        openssl("genrsa", "-out", key, "2048")
    modulus = openssl("rsa", "-in", published, "-noout", "-modulus").decode().strip().partition("=")[2]
    key = {"kty": "RSA", "kid": "first", "alg": "RS256", "use": "sig", "e": "AQAB"}
    key["n"] = base64url(bytes.fromhex(modulus))
    (folder / "jwks.json").write_text(json.dumps({"keys": [key]}))
    return closed(stack, folder, "wrong-key", issuer(f"{folder}/jwks.json"), token=jwt(used))


def keys_away(stack: ExitStack, folder: Path) -> World:
    key = folder / "away.pem"
    openssl("genrsa", "-out", key, "2048")
    more = issuer(f"https://{free_address()}/keys") + 'jwks_refresh = "1s"\njwks_timeout = "1s"\n'
    return closed(stack, folder, "keys-away", more, token=jwt(key))


def expiring_certificate(stack: ExitStack, folder: Path) -> World:
    cert, key = folder / "server.pem", folder / "server.key"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert, *subject)
    world = World(stack.enter_context(dev(f"--tls-cert={cert}", f"--tls-key={key}")), ca=cert.read_bytes())
    return world


def stopped_callers(stack: ExitStack, _: Path) -> World:
    world = faulty(stack)
    world.quiet_after = 35
    return world


def stopped_service(stack: ExitStack, _: Path) -> World:
    world = faulty(stack)
    world.killed_after = 10
    return world


def slow(stack: ExitStack, _: Path) -> World:
    world = World(stack.enter_context(dev()))
    aws.Control(world.service.emulator).add_fault(kind="latency", min_ms=2700, max_ms=2800)
    world.creates = False
    return world


HTML = "text/html"
WORLDS: dict[str, Callable[[ExitStack, Path], World]] = {
    "The upstream answers 404 to everything": lambda stack, _: over(stack, 404, HTML, "not found"),
    "A proxy answers 403": lambda stack, _: over(stack, 403, HTML, "<p>blocked"),
    "A proxy answers 200 with HTML": lambda stack, _: over(stack, 200, HTML, "<p>sign in"),
    "A load balancer answers 503": lambda stack, _: over(stack, 503, HTML, "<p>no server"),
    "The port of AWS is closed": closed_port,
    "AWS hangs": hang,
    "AWS answers after 2.7 s": slow,
    "AWS throttles every request": lambda stack, _: faulty(stack, kind="error", code="ThrottlingException"),
    "AWS fails inside": lambda stack, _: faulty(stack, kind="error", code="InternalFailure"),
    "AWS answers with broken JSON": lambda stack, _: over(stack, 200, AWS_JSON, '{"TapeInfos": ['),
    "AWS refuses the credentials": lambda stack, _: over(stack, *aws_error("UnrecognizedClientException")),
    "AWS refuses the credentials in one of two regions": one_of_two_regions,
    "There are no AWS credentials": no_credentials,
    "The AWS credentials are of another account": wrong_account,
    "The role of the account is refused": refused_role,
    "The AWS role lacks a right": lambda stack, _: over(stack, *aws_error("AccessDeniedException")),
    "The clock is wrong": lambda stack, _: over(stack, *aws_error("RequestExpired")),
    "One gateway is offline": lambda stack, _: faulty(
        stack, kind="error", code="GatewayNotConnected", operations=["CreateTapes"]
    ),
    "The keys of the issuer are away": keys_away,
    "The issuer signs with a key that it does not publish": wrong_key,
    "Callers have unknown tokens": unknown_token,
    "The server certificate expires in two days": expiring_certificate,
    "The disk of the audit file is full": full_disk,
    "A changed policy is invalid": broken_policies,
    "The callers have stopped": stopped_callers,
    "The service is killed": stopped_service,
}
