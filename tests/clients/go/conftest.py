"""The Go test program, built as the author of a Go client would build theirs."""

import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from grpc_tools import protoc

from harness.paths import GO_CLIENT, PROTOS, own_protos

HERE = Path(__file__).parent
PLUGINS = {
    "protoc-gen-go": "google.golang.org/protobuf/cmd/protoc-gen-go",
    "protoc-gen-go-grpc": "google.golang.org/grpc/cmd/protoc-gen-go-grpc",
}


def go(*arguments: str):
    """The versions are those of go.mod and go.sum, which are not changed."""
    done = subprocess.run(["go", *arguments], cwd=GO_CLIENT, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, f"go {' '.join(arguments)}:\n{done.stderr}"


@pytest.fixture(scope="session")
def program() -> Path:
    """Compiles the stubs and the tests beside the sources' copy, outside of the source tree."""
    GO_CLIENT.mkdir(parents=True, exist_ok=True)
    for source in ("go.mod", "go.sum", "clients_test.go"):
        shutil.copy(HERE / source, GO_CLIENT)
    go("build", "-o", "bin/", *PLUGINS.values())
    protos = own_protos()
    options = [f"--{kind}_opt=paths=source_relative" for kind in ("go", "go-grpc")]
    code = protoc.main(
        [
            "protoc",
            *(f"--plugin={name}={GO_CLIENT / 'bin' / name}" for name in PLUGINS),
            f"-I{PROTOS}",
            f"-I{files('grpc_tools') / '_proto'}",
            f"--go_out={GO_CLIENT}",
            f"--go-grpc_out={GO_CLIENT}",
            *options,
            *protos,
        ]
    )
    assert code == 0
    go("vet", ".")
    go("test", "-c", "-o", "clients.test", ".")
    return GO_CLIENT / "clients.test"
