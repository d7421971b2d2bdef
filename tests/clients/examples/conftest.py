"""The example agents, each built once as its README says."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.certificates import Certificate, certificate
from harness.paths import PROTOS, ROOT, TARGET, own_protos
from harness.process import make_token
from harness.seeds import ACCOUNT

EXAMPLES = ROOT / "examples"
BUILT = TARGET / "examples"


@dataclass(frozen=True)
class Program:
    """An agent's command line, and what it needs in the environment."""

    command: list[str]
    env: dict[str, str] = field(default_factory=dict)


def build(*command: str | Path, cwd: Path):
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"


def python() -> Program:
    built = BUILT / "python"
    built.mkdir(parents=True, exist_ok=True)
    outputs = [f"--python_out={built}", f"--grpc_python_out={built}"]
    build(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", *outputs, *own_protos(), cwd=ROOT)
    env = {"PYTHONPATH": str(built), "PYTHONDONTWRITEBYTECODE": "1"}
    return Program([sys.executable, str(EXAMPLES / "python" / "agent.py")], env)


def go() -> Program:
    return Program([str(build_go("go"))])


def build_go(example: str) -> Path:
    """The program of an example in Go."""
    built = copy(example)
    build("go", "generate", ".", cwd=built)
    build("go", "vet", ".", cwd=built)
    build("go", "build", "-o", f"bin/{example}", ".", cwd=built)
    return built / "bin" / example


def copy(language: str) -> Path:
    """A copy of an example in BUILT, with the protos where the build looks for them."""
    tree = BUILT / language
    shutil.rmtree(tree, ignore_errors=True)
    built = tree / "examples" / language
    # What an author has built here stays here.
    shutil.copytree(EXAMPLES / language, built, ignore=shutil.ignore_patterns("dist", "gen", "node_modules", "target"))
    shutil.copytree(PROTOS, tree / "proto")
    return built


def node() -> Program:
    built = copy("node")
    build("npm", "ci", cwd=built)
    build("npm", "run", "build", cwd=built)
    return Program(["node", str(built / "dist" / "agent.js")])


def java() -> Program:
    built = copy("java")
    build("mvn", "--batch-mode", "--quiet", "package", cwd=built)
    return Program(["java", "-jar", str(built / "target" / "agent.jar")])


def rust() -> Program:
    """`tests/run` has built it, as `cargo build --examples`."""
    return Program([str(TARGET / "debug" / "examples" / "agent")])


# How an agent is built into a folder of BUILT, by its language.
LANGUAGES: dict[str, Callable[[], Program]] = {
    "python": python,
    "go": go,
    "node": node,
    "java": java,
    "rust": rust,
}


@pytest.fixture(scope="session", params=LANGUAGES)
def program(request: pytest.FixtureRequest) -> Program:
    return LANGUAGES[request.param]()


@dataclass(frozen=True)
class Site:
    """What a service and its callers share."""

    own: Certificate
    tokens: Path
    token_file: Path

    def flags(self) -> list[str]:
        """Of a service that knows this caller alone."""
        return [
            "--allow-anonymous=false",
            f"--account-id={ACCOUNT}",
            f"--auth-tokens-file={self.tokens}",
            f"--policy-path={ROOT / 'deploy' / 'policies'}",
            *self.own.flags(),
        ]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    tokens, token_file = folder / "tokens.toml", folder / "agent.token"
    token = make_token("agent-7", "tape-operators", file=tokens)
    token_file.write_text(f"{token}\n")
    return Site(certificate(folder), tokens, token_file)
