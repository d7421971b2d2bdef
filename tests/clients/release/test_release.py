"""The files of a release, made of programs that `tests/run release` builds: complete, checkable, installable, and the
same in every run."""

import gzip
import hashlib
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from functools import cache
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from packageurl import PackageURL

from harness import aws
from harness.grpcurl import Grpcurl
from harness.paths import ROOT, TARGET
from harness.process import Tapegate, dev

MACHINE = os.uname().machine
TRIPLE = f"{MACHINE}-unknown-linux-musl"
DEBIAN_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[MACHINE]
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
PROGRAMS = ["tapegate", "tapegate-emulator"]
ARCHIVES = {program: f"{program}-{VERSION}-{TRIPLE}.tar.gz" for program in PROGRAMS}
SBOMS = {program: f"{program}-{VERSION}-{TRIPLE}.cdx.json" for program in PROGRAMS}
PACKAGE = f"tapegate_{VERSION}_{DEBIAN_ARCHITECTURE}.deb"
STATEMENT = f"tapegate-{VERSION}.intoto.json"
SUMS = "SHA256SUMS"

WORK = TARGET / "release-test"
BUILT = TARGET / TRIPLE / "dist"
BUILT_REVISION = "0123456789ab"
COMMITTED_AT = 1_767_225_600
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]


@pytest.fixture(scope="module", autouse=True)
def _nothing_from_before():
    shutil.rmtree(WORK, ignore_errors=True)


def run(*command: str | Path, **options) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def git(*arguments: str | Path) -> str:
    return run("git", "-C", source(), *arguments).strip()


@cache
def source() -> Path:
    """A repository whose one commit has the files of the checkout, committed or not."""
    made = WORK / "source"
    listed = run("git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in filter(None, listed.split("\0")):
        if os.path.lexists(ROOT / name):
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, made / name, follow_symlinks=False)
    run("git", "init", "--quiet", made)
    run("git", "-C", made, "add", "--all")
    date = {f"GIT_{who}_DATE": f"{COMMITTED_AT} +0100" for who in ("AUTHOR", "COMMITTER")}
    author = ["-c", "user.name=Jo Bloggs", "-c", "user.email=jo@example.com", "-c", "commit.gpgsign=false"]
    run("git", "-C", made, *author, "commit", "--quiet", "--message=All", env=os.environ | date)
    return made


@cache
def programs() -> Path:
    """The programs, as if they had been built from this commit: its revision is in them."""
    folder = WORK / "programs" / TRIPLE
    folder.mkdir(parents=True)
    revision = git("rev-parse", "--short=12", "HEAD")
    for program in PROGRAMS:
        code = (BUILT / program).read_bytes()
        code = code.replace(f"({BUILT_REVISION})".encode(), f"({revision})".encode())
        (folder / program).write_bytes(code)
        (folder / program).chmod(0o755)
    return folder.parent


def make(output: Path, *arguments: str | Path, checkout: Path | None = None, **options) -> subprocess.CompletedProcess:
    command = [(checkout or source()) / "deploy/release/make", "--output", output, *arguments, TRIPLE]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


@cache
def release() -> Path:
    output = WORK / "files"
    done = make(output, "--programs", programs(), "--builder", "https://ci.example.com/release")
    assert done.returncode == 0, done.stderr
    return output


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def json_of(name: str) -> dict:
    return json.loads((release() / name).read_text())


def inside(root: Path, *command: str) -> list[str]:
    """The command line that runs a program with nothing but its root, as a user without rights."""
    root.chmod(0o755)
    environment = ["env", "--ignore-environment", "PATH=/usr/sbin:/usr/bin"]
    return [*AS_ROOT, *environment, "chroot", "--userspec=65532:65532", str(root), *command]


@cache
def extracted(program: str) -> Path:
    root = WORK / "extracted"
    with tarfile.open(release() / ARCHIVES[program]) as archive:
        archive.extractall(root, filter="tar")
    return root / ARCHIVES[program].removesuffix(".tar.gz")


@cache
def unpacked() -> Path:
    """The Debian package: its files, and in DEBIAN what dpkg reads."""
    root = WORK / "unpacked"
    run("dpkg-deb", "--raw-extract", release() / PACKAGE, root)
    return root


def test_a_release_has_these_files():
    assert set(digests(release())) == {*ARCHIVES.values(), *SBOMS.values(), PACKAGE, STATEMENT, SUMS}


def test_two_runs_give_the_same_bytes():
    """From another checkout, at another time, with another umask and time zone."""
    checkout = WORK / "clone"
    run("git", "clone", "--quiet", source(), checkout)
    more = ["--programs", programs(), "--builder", "https://ci.example.com/release"]
    done = make(WORK / "again", *more, checkout=checkout, env=os.environ | {"TZ": "Asia/Tokyo"}, umask=0o077)
    assert done.returncode == 0, done.stderr
    assert digests(WORK / "again") == digests(release())


def test_the_sums_find_a_flipped_bit(tmp_path):
    check = ["sha256sum", "--check", "--strict", "--quiet", SUMS]
    run(*check, cwd=release())
    listed = {line.split("  ")[1] for line in (release() / SUMS).read_text().splitlines()}
    assert listed == set(digests(release())) - {SUMS}
    for name in sorted(listed):
        copied = shutil.copytree(release(), tmp_path / name)
        changed = bytearray((copied / name).read_bytes())
        changed[len(changed) // 2] ^= 1
        (copied / name).write_bytes(changed)
        done = subprocess.run(check, cwd=copied, capture_output=True, text=True)
        assert done.returncode == 1 and done.stdout == f"{name}: FAILED\n"
        shutil.rmtree(copied)


def test_the_page_verifies_a_release_as_it_says(tmp_path):
    folder = shutil.copytree(release(), tmp_path / "files")
    page = tmp_path / "releases.md"
    page.write_text((ROOT / "docs/releases.md").read_text().replace("x86_64", MACHINE))
    print(run(sys.executable, ROOT / "tests/clients/readme/check.py", page, cwd=folder))


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_archive_is_of_root_and_of_the_time_of_the_commit(program: str):
    folder = ARCHIVES[program].removesuffix(".tar.gz")
    with gzip.open(release() / ARCHIVES[program]) as opened, tarfile.open(fileobj=opened) as archive:
        members = archive.getmembers()
        assert opened.mtime == 0
    names = [member.name for member in members]
    assert names == sorted(names)
    for member in members:
        assert member.name == folder or member.name.startswith(f"{folder}/")
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
        assert member.mtime == COMMITTED_AT
        if member.issym():
            # The chart has the rules and dashboards by links.
            assert posixpath.normpath(f"{member.name}/../{member.linkname}") in names, member.name
            continue
        executable = member.isdir() or member.name == f"{folder}/{program}"
        assert member.mode == (0o755 if executable else 0o644), member.name


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_archive_has_the_program_and_the_licence(program: str):
    root = extracted(program)
    assert run(root / program, "--version") == run(programs() / TRIPLE / program, "--version")
    assert (root / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert "SYMTAB" not in run("readelf", "--section-headers", root / program)


def test_the_links_of_the_readme_lead_to_files_of_the_archive():
    root = extracted("tapegate")
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (root / "README.md").read_text())
    only_in_a_checkout = ("CONTRIBUTING.md", "examples", "proto/rust")
    links = {link for link in links if not link.startswith(only_in_a_checkout)}
    assert len(links) > 20
    assert {link for link in links if not (root / link).exists()} == set()


def test_the_program_of_the_archive_answers_in_an_empty_root(tmp_path):
    shutil.copy(extracted("tapegate") / "tapegate", tmp_path)
    with dev(program=inside(tmp_path, "/tapegate")) as running:
        answer = Grpcurl(running.grpc).call("ListTapes", {"max_items": 1})
        assert len(answer.message["tapeInfos"]) == 1


def test_the_emulator_of_the_archive_answers_in_an_empty_root(tmp_path):
    shutil.copy(extracted("tapegate-emulator") / "tapegate-emulator", tmp_path)
    with Tapegate("--listen=127.0.0.1:0", program=inside(tmp_path, "/tapegate-emulator")) as running:
        assert len(aws.unjudged_client(running.emulator).list_tapes(Limit=5)["TapeInfos"]) == 5


def crates(program: str, edges: str, *more: str) -> set[str]:
    tree = ["cargo", "tree", "--locked", f"--package={program}", f"--target={TRIPLE}", f"--edges={edges}", *more]
    lines = run(*tree, "--prefix=none", "--format={p}", cwd=source()).splitlines()
    return {"@".join(line.split()[:2]).replace("@v", "@") for line in lines if line}


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_sbom_is_valid(program: str):
    text = (release() / SBOMS[program]).read_text()
    validator = JsonStrictValidator(SchemaVersion.V1_5)
    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"bomFormat"', '"format"')) is not None
    assert str(WORK) not in text and str(ROOT) not in text


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_sbom_has_the_crates_of_the_program_and_no_others(program: str):
    sbom = json_of(SBOMS[program])
    described = sbom["metadata"]["component"]
    named = [f"{component['name']}@{component['version']}" for component in [described, *sbom["components"]]]
    assert len(named) == len(set(named))
    assert set(named) == crates(program, "normal")
    of_tests = crates(program, "dev", "--depth=1") - crates(program, "normal")
    assert of_tests and not of_tests & set(named)

    references = {component["bom-ref"] for component in [described, *sbom["components"]]}
    assert {dependency["ref"] for dependency in sbom["dependencies"]} == references
    for dependency in sbom["dependencies"]:
        assert set(dependency.get("dependsOn", [])) <= references


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_sbom_has_licences_and_the_checksums_of_the_lock_file(program: str):
    packages = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    locked = {(package["name"], package["version"]): package.get("checksum") for package in packages}
    for component in json_of(SBOMS[program])["components"]:
        name, version = component["name"], component["version"]
        assert component["licenses"], name
        purl = PackageURL.from_string(component["purl"])
        assert (purl.type, purl.name, purl.version) == ("cargo", name, version)
        if component["bom-ref"].startswith("registry+"):
            (checksum,) = component["hashes"]
            assert (checksum["alg"], checksum["content"]) == ("SHA-256", locked[name, version])


def test_the_provenance_names_the_files_and_what_they_were_made_of():
    statement = json_of(STATEMENT)
    # Unknown and missing fields are errors.
    Statement.copy_from_pb(json_format.ParseDict(statement, statement_pb2.Statement())).validate()
    json_format.ParseDict(statement["predicate"], provenance_pb2.Provenance())
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    subjects = {subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}
    files = digests(release())
    assert subjects == {name: digest for name, digest in files.items() if name not in (STATEMENT, SUMS)}

    definition = statement["predicate"]["buildDefinition"]
    commit = git("rev-parse", "HEAD")
    assert definition["externalParameters"] == {"commit": commit, "version": VERSION, "targets": [TRIPLE]}
    assert definition["internalParameters"] == {"programs": "given", "sourceDateEpoch": COMMITTED_AT}
    made_of = {entry["name"]: entry for entry in definition["resolvedDependencies"]}
    assert made_of["source"]["digest"] == {"gitCommit": commit}
    lock = hashlib.sha256((ROOT / "Cargo.lock").read_bytes()).hexdigest()
    assert made_of["Cargo.lock"]["digest"] == {"sha256": lock}
    compiler = run("rustc", "--version", cwd=source()).split()
    assert made_of["rustc"]["uri"] == f"pkg:generic/rustc@{compiler[1]}"
    assert made_of["rustc"]["annotations"]["version"] == " ".join(compiler[1:])
    assert statement["predicate"]["runDetails"]["builder"]["id"] == "https://ci.example.com/release"


def test_the_debian_package_has_its_files_where_the_units_look():
    listed = run("dpkg-deb", "--contents", release() / PACKAGE).splitlines()
    modes = {line.split()[5]: line.split()[:2] for line in listed}
    assert {owner for _, owner in modes.values()} == {"root/root"}
    special = {"./usr/bin/tapegate": "-rwxr-xr-x", "./etc/tapegate/secrets/": "drwx------"}
    assert special.keys() <= modes.keys()
    for path, (mode, _) in modes.items():
        if mode.startswith("l"):
            assert (unpacked() / path).exists(), path
            continue
        assert mode == special.get(path, "drwxr-xr-x" if path.endswith("/") else "-rw-r--r--"), path
    units = unpacked() / "usr/lib/systemd/system"
    for unit in (ROOT / "deploy/systemd").glob("tapegate*.s*"):
        assert (units / unit.name).read_bytes() == unit.read_bytes()
    (started,) = re.findall("^ExecStart=(.*)$", (units / "tapegate.service").read_text(), re.MULTILINE)
    program, _, _, configuration = started.split()
    assert (unpacked() / program[1:]).read_bytes() == (extracted("tapegate") / "tapegate").read_bytes()
    assert (unpacked() / configuration[1:]).read_bytes() == (ROOT / "deploy/systemd/tapegate.toml").read_bytes()


def test_the_debian_package_says_what_it_is():
    fields = dict(re.findall(r"^(\S+): (.*)$", run("dpkg-deb", "--field", release() / PACKAGE), re.MULTILINE))
    assert (fields["Package"], fields["Version"]) == ("tapegate", VERSION)
    assert fields["Architecture"] == DEBIAN_ARCHITECTURE
    assert fields["Maintainer"] == "Jo Bloggs <jo@example.com>"
    assert fields["Depends"] == "ca-certificates"
    size = (BUILT / "tapegate").stat().st_size // 1024
    assert size < int(fields["Installed-Size"]) < size + 4096
    conffiles = set((unpacked() / "DEBIAN/conffiles").read_text().split())
    policies = {f"/etc/tapegate/policies/{file.name}" for file in (ROOT / "deploy/policies").iterdir()}
    assert conffiles == {"/etc/tapegate/tapegate.toml", *policies}
    assert (unpacked() / "usr/share/doc/tapegate/copyright").read_bytes() == (ROOT / "LICENSE").read_bytes()


class Debian:
    """A root with dpkg's files, a shell, and a systemctl that writes down what it is called with."""

    def __init__(self, root: Path):
        self.root = root
        for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "bin", "run/systemd/system"):
            (root / folder).mkdir(parents=True)
        (root / "var/lib/dpkg/status").write_text(
            "Package: ca-certificates\nStatus: install ok installed\nArchitecture: all\nVersion: 20230311\n"
            "Maintainer: Nobody <nobody@example.com>\nDescription: what the package depends on\n"
        )
        for library in re.findall(r"/\S+", run("ldd", "/bin/sh")):
            (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, root / library[1:])
        shutil.copy("/bin/sh", root / "bin")
        (root / "bin/systemctl").write_text('#!/bin/sh\necho "$*" >>/calls\n')
        (root / "bin/systemctl").chmod(0o755)
        self._seen = 0

    def dpkg(self, *arguments: str | Path) -> str:
        """Runs dpkg, and returns the arguments of each call of systemctl."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        run(*AS_ROOT, "env", f"PATH={path}", "dpkg", f"--root={self.root}", *arguments)
        # The test changes files too, and may not be root.
        run(*AS_ROOT, "chown", "--recursive", str(os.geteuid()), self.root)
        calls = (self.root / "calls").read_text().splitlines()
        new = calls[self._seen :]
        self._seen = len(calls)
        return "\n".join(new)


def test_the_debian_package_installs_upgrades_and_leaves(tmp_path):
    debian = Debian(tmp_path)
    configuration = tmp_path / "etc/tapegate/tapegate.toml"
    program = tmp_path / "usr/bin/tapegate"
    reload, restart = "daemon-reload", "try-restart tapegate.service"
    stop = "disable --now tapegate.socket tapegate-admin.socket tapegate.service"

    assert debian.dpkg("--install", release() / PACKAGE) == f"{reload}\n{restart}"
    revision = git("rev-parse", "--short=12", "HEAD")
    assert run(*inside(tmp_path, "/usr/bin/tapegate", "--version")) == f"tapegate {VERSION} ({revision})\n"

    # An upgrade keeps what the operator wrote.
    edited = configuration.read_text() + "# edited\n"
    configuration.write_text(edited)
    assert debian.dpkg("--install", release() / PACKAGE) == f"{reload}\n{restart}"
    assert configuration.read_text() == edited

    (tmp_path / "etc/tapegate/secrets/tls.key").write_text("key")
    assert debian.dpkg("--remove", "tapegate") == f"{stop}\n{reload}"
    assert not program.exists() and configuration.read_text() == edited
    assert debian.dpkg("--purge", "tapegate") == ""
    assert [path.name for path in (tmp_path / "etc/tapegate").rglob("*")] == ["secrets", "tls.key"]


def test_no_release_is_made_of_changed_files(tmp_path):
    checkout = tmp_path / "clone"
    run("git", "clone", "--quiet", source(), checkout)
    for change in ("src/new.rs", "README.md"):
        (checkout / change).write_text("changed")
        done = make(tmp_path / "files", "--programs", programs(), checkout=checkout)
        assert done.returncode == 1 and change in done.stderr
        assert "deploy/release/make: these files differ from the commit" in done.stderr
        run("git", "-C", checkout, "clean", "--quiet", "--force")
        run("git", "-C", checkout, "checkout", "--quiet", ".")
    assert not (tmp_path / "files").exists()


def test_no_release_is_made_of_the_programs_of_another_commit(tmp_path):
    folder = tmp_path / "programs" / TRIPLE
    folder.mkdir(parents=True)
    for program in PROGRAMS:
        shutil.copy(BUILT / program, folder)
    done = make(tmp_path / "files", "--programs", folder.parent)
    wanted = f"tapegate {VERSION} ({git('rev-parse', '--short=12', 'HEAD')})"
    assert done.returncode == 1
    assert f"is 'tapegate {VERSION} ({BUILT_REVISION})'; the release is of '{wanted}'" in done.stderr
    assert not (tmp_path / "files").exists()


def test_a_release_overwrites_nothing(tmp_path):
    (tmp_path / "other").write_text("kept")
    done = make(tmp_path, "--programs", programs())
    assert done.returncode == 1 and f"{tmp_path} is not empty" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["other"]


def test_the_client_for_rust_is_packaged_whole(tmp_path):
    """Its links to files of the repository become files."""
    cargo = ["cargo", "package", "--package=tapegate-client", "--no-verify", "--offline", "--quiet"]
    run(*cargo, f"--target-dir={tmp_path}", cwd=source())
    with tarfile.open(tmp_path / f"package/tapegate-client-{VERSION}.crate") as archive:
        packaged = {
            member.name.split("/", 1)[1]: archive.extractfile(member).read()
            for member in archive.getmembers()
            if member.isfile()
        }
    assert packaged["LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert packaged["service_config.json"] == (ROOT / "docs/service_config.json").read_bytes()
    protos = {
        f"proto/{path.relative_to(ROOT / 'proto')}": path.read_bytes()
        for folder in ("google", "tapegate")
        for path in (ROOT / "proto" / folder).rglob("*.proto")
    }
    assert len(protos) == 5 and protos.items() <= packaged.items()
    for path in (ROOT / "proto/rust/src").iterdir():
        assert packaged[f"src/{path.name}"] == path.read_bytes()
