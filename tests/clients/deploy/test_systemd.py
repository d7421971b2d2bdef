"""The units that ship: sandboxed, and no tighter than the service needs."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from harness.aws import Control
from harness.certificates import certificate
from harness.grpcurl import Grpcurl
from harness.paths import BINARY, ROOT
from harness.process import dev, make_token, run

FOLDER = ROOT / "deploy" / "systemd"
UNIT = FOLDER / "tapegate.service"


def analyze(*arguments: str | Path) -> str:
    done = subprocess.run(["systemd-analyze", "--no-pager", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def values(path: Path, section: str, name: str) -> list[str]:
    """What the unit gives for one name, in its order."""
    within = path.read_text().split(f"[{section}]\n")[1].split("\n[")[0]
    return re.findall(rf"^{name}=(.*)$", within, re.MULTILINE)


def test_the_sandbox_leaves_little_exposed():
    shown = analyze("security", "--offline=true", "--threshold=15", UNIT)
    assert re.search(r"exposure level for tapegate.service: (1\.[0-5]|0\.\d)", shown), shown


def test_systemd_takes_the_units(tmp_path):
    units = [shutil.copy(path, tmp_path) for path in sorted(FOLDER.glob("tapegate*.s*"))]
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/bin/tapegate", str(BINARY)))
    assert analyze("verify", *units) == ""


@pytest.mark.parametrize("name", ["tapegate.socket", "tapegate-admin.socket"])
def test_the_sockets_are_those_that_the_service_asks_for(name: str):
    (wanted,) = values(UNIT, "Unit", "Requires")
    assert name in wanted.split()
    assert values(FOLDER / name, "Socket", "Service") == ["tapegate.service"]
    assert values(FOLDER / name, "Socket", "FileDescriptorName") == ["admin" if "admin" in name else "grpc"]


def test_a_stop_has_the_time_that_the_service_needs():
    (given,) = values(UNIT, "Service", "TimeoutStopSec")
    checked = run("check", "--allow-anonymous", "--region=us-east-1").stdout
    settings = tomllib.loads(checked)["shutdown"]
    needed = sum(int(settings[name].removesuffix("s")) for name in ("delay", "drain_timeout"))
    assert int(given) >= needed + 3 + 5


def test_the_configuration_beside_the_unit_is_valid(tmp_path):
    """With the files at the places that the unit makes."""
    (command,) = values(UNIT, "Service", "ExecStart")
    assert command == "/usr/bin/tapegate serve --config /etc/tapegate/tapegate.toml"
    (folder,) = values(UNIT, "Service", "LoadCredential")
    secret, source = folder.split(":")
    assert source == "/etc/tapegate/secrets"

    made = certificate(tmp_path)
    made.cert.rename(tmp_path / f"{secret}_tls.crt")
    made.key.rename(tmp_path / f"{secret}_tls.key")
    make_token("agent-7", "tape-operators", file=tmp_path / f"{secret}_tokens.toml")
    config = tmp_path / "tapegate.toml"
    text = (FOLDER / config.name).read_text()
    for made_by_systemd in ("/run/credentials/tapegate.service", "/var/log/tapegate"):
        assert made_by_systemd in text
        text = text.replace(made_by_systemd, str(tmp_path))
    config.write_text(text.replace("/etc/tapegate/policies", str(ROOT / "deploy" / "policies")))
    checked = run("check", "--config", str(config))
    assert checked.returncode == 0, checked.stderr


def system_calls(*groups: str) -> set[str]:
    """The names in groups of `systemd-analyze syscall-filter`, and in the groups in them."""
    names: set[str] = set()
    for group in groups:
        lines = analyze("syscall-filter", group).splitlines()
        inside = [line.split("#")[0].strip() for line in lines if line.startswith("    ")]
        names |= {name for name in inside if name and not name.startswith("@")}
        names |= system_calls(*(name for name in inside if name.startswith("@")))
    return names


def test_the_filter_of_system_calls_has_all_that_the_service_makes(tmp_path):
    traced = tmp_path / "trace"
    tokens = tmp_path / "tokens.toml"
    token = make_token("agent-7", "tape-operators", file=tokens)
    flags = [f"--auth-tokens-file={tokens}", f"--policy-path={ROOT / 'deploy' / 'policies'}"]
    flags += [f"--audit-file={tmp_path / 'audit.jsonl'}", "--reload-interval=1s", "--allow-anonymous=false"]
    tracer = ["strace", "--daemonize", "--follow-forks", "--quiet=all", f"--output={traced}"]
    with dev(*flags, program=[*tracer, str(BINARY)]) as running:
        grpcurl = Grpcurl(running.grpc)
        identity = ("-H", f"authorization: Bearer {token}")
        assert grpcurl.call("ListTapes", {"max_items": 5}, flags=identity).messages
        Control(running.emulator).add_fault(kind="reset", operations=["ListTapes"], calls=1)
        assert grpcurl.call("ListTapes", {"max_items": 6}, flags=identity).messages
        # A changed file is read again.
        make_token("agent-8", "tape-operators", file=tokens)
        assert running.stderr.wait_for(lambda line: "loaded changed files" in line)
    calls = set(re.findall(r"^\d+ +(\w+)\(", traced.read_text(), re.MULTILINE))
    # What runs before the filter, and what no filter can forbid.
    calls -= {"execve", "exit_group", "exit", "rt_sigreturn", "restart_syscall"}
    assert "accept4" in calls

    allowed, removed = values(UNIT, "Service", "SystemCallFilter")
    assert removed.startswith("~")
    allowed = system_calls(*allowed.split()) - system_calls(*removed[1:].split())
    assert calls <= allowed, sorted(calls - allowed)
