"""The container images: built by buildah, which needs no daemon, and started with nothing else in their root."""

import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from harness import aws
from harness.grpcurl import Grpcurl
from harness.paths import ROOT, TARGET
from harness.process import Tapegate

# What `tests/run image` makes: the programs and the roots of TLS, in the places of the Dockerfile's first stage.
FILES = TARGET / "image" / "files"
WORK = TARGET / "image"
REVISION = "0123456789ab"
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
MEGABYTE = 1_000_000


def buildah(*arguments: str | Path) -> str:
    storage = ["--storage-driver=vfs", f"--root={WORK / 'storage'}", f"--runroot={WORK / 'run'}"]
    done = subprocess.run([*AS_ROOT, "buildah", *storage, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Image:
    digest: str
    config: dict
    files: dict[str, tarfile.TarInfo]
    root: Path
    bytes_compressed: int


def build(target: str, form: str, name: str) -> Image:
    stage = [
        "--isolation=chroot",
        "--timestamp=0",
        f"--build-context=build={FILES}",
        f"--build-arg=REVISION={REVISION}",
    ]
    recipe = ["--file", ROOT / "deploy" / "image" / "Dockerfile", f"--target={target}", f"--format={form}"]
    buildah("build", *stage, *recipe, f"--tag={name}", ROOT)
    saved = WORK / f"{name}.dir"
    shutil.rmtree(saved, ignore_errors=True)
    buildah("push", "--quiet", f"localhost/{name}", f"dir:{saved}")
    manifest = json.loads((saved / "manifest.json").read_text())

    def blob(entry: dict) -> Path:
        return saved / entry["digest"].removeprefix("sha256:")

    root = WORK / f"{name}.root"
    shutil.rmtree(root, ignore_errors=True)
    files = {}
    for layer in manifest["layers"]:
        with tarfile.open(blob(layer)) as archive:
            files |= {member.name: member for member in archive.getmembers() if not member.isdir()}
            archive.extractall(root, filter="fully_trusted")
    return Image(
        digest=manifest["config"]["digest"],
        config=json.loads(blob(manifest["config"]).read_text()),
        files=files,
        root=root,
        bytes_compressed=sum(blob(layer).stat().st_size for layer in manifest["layers"]),
    )


@cache
def image(target: str) -> Image:
    """In Docker's format, which has the health check."""
    return build(target, "docker", f"tapegate-{target}")


def inside(target: str, *command: str) -> list[str]:
    """The command line that runs a program of the image in its root, as its user, with nothing else: no /proc, no
    variables but those that a container engine sets."""
    user = image(target).config["config"]["User"]
    engine = ["env", "--ignore-environment", "PATH=/usr/sbin:/usr/bin", "HOSTNAME=0123456789ab", "HOME=/"]
    return [*AS_ROOT, *engine, "chroot", f"--userspec={user}", str(image(target).root), *command]


def test_two_builds_are_the_same_image():
    assert build("service", "oci", "one").digest == build("service", "oci", "two").digest


def test_the_service_is_in_an_image_with_nothing_else():
    service = image("service")
    assert set(service.files) == {"usr/bin/tapegate", "etc/ssl/certs/ca-certificates.crt"}
    size = sum(file.size for file in service.files.values())
    print(f"\n{size / MEGABYTE:.1f} MB, {service.bytes_compressed / MEGABYTE:.1f} MB compressed, by {service.digest}")
    assert size <= 40 * MEGABYTE


def test_it_runs_as_nobody_and_says_what_it_is():
    config = image("service").config["config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["/usr/bin/tapegate"]
    assert config["Cmd"] == ["serve"]
    assert set(config["ExposedPorts"]) == {"50051/tcp", "9464/tcp"}
    assert config["Healthcheck"]["Test"] == ["CMD", "/usr/bin/tapegate", "health"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    version = subprocess.run(inside("service", "/usr/bin/tapegate", "--version"), capture_output=True, text=True)
    assert version.stdout == f"tapegate {labels['version']} ({labels['revision']})\n"
    assert labels["revision"] == REVISION


@pytest.mark.parametrize("program", ["tapegate", "tapegate-emulator"])
def test_the_programs_need_no_library(program: str):
    headers = subprocess.run(
        ["readelf", "--program-headers", "--dynamic", FILES / "programs" / program], capture_output=True, text=True
    )
    assert headers.returncode == 0
    assert "INTERP" not in headers.stdout and "NEEDED" not in headers.stdout


def test_a_person_with_only_the_image_gets_an_answer():
    """The two commands of the README, with chroot in place of the container engine."""
    listeners = ("--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--emulator-listen=127.0.0.1:0")
    entry = image("service").config["config"]["Entrypoint"]
    with Tapegate("dev", *listeners, program=inside("service", *entry)) as running:
        answer = Grpcurl(running.grpc).call("ListTapes", {"max_items": 1})
        print(answer.stdout)
        assert len(answer.message["tapeInfos"]) == 1
        check = image("service").config["config"]["Healthcheck"]["Test"][1:]
        healthy = subprocess.run(inside("service", *check, "--address", running.grpc), capture_output=True, text=True)
        assert healthy.returncode == 0, healthy.stderr


def test_the_emulator_has_an_image_of_its_own():
    emulator = image("emulator")
    assert set(emulator.files) == {"usr/bin/tapegate-emulator"}
    entry = inside("emulator", *emulator.config["config"]["Entrypoint"])
    assert emulator.config["config"]["Cmd"] == ["--listen", "0.0.0.0:4588"]
    with Tapegate("--listen=127.0.0.1:0", program=entry) as running:
        assert len(aws.unjudged_client(running.emulator).list_tapes(Limit=5)["TapeInfos"]) == 5
