"""Stubs for Python, and the one `tapegate dev` that most tests talk to."""

import shutil
import sys
from collections.abc import Iterator
from importlib.resources import files

import pytest
from grpc_tools import protoc
from playwright.sync_api import Browser, sync_playwright

from harness.paths import BINARY, PROTOS, STUBS, own_protos
from harness.process import Tapegate, dev


def pytest_configure():
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is not there: run `cargo build`, or `tests/run clients`", returncode=1)


def generate_stubs():
    """Compiles the protos as an agent's author would, before anything imports them."""
    STUBS.mkdir(parents=True, exist_ok=True)
    protos = own_protos()
    well_known = files("grpc_tools") / "_proto"
    outputs = [f"--python_out={STUBS}", f"--grpc_python_out={STUBS}"]
    code = protoc.main(["protoc", f"-I{PROTOS}", f"-I{well_known}", *outputs, *protos])
    if code != 0:
        pytest.exit(f"protoc failed with {code}", returncode=1)
    sys.path.insert(0, str(STUBS))


# At once: the conftest modules of the folders below import the stubs.
generate_stubs()


@pytest.fixture(scope="session")
def service() -> Tapegate:
    """`tapegate dev`. Tests share it: what one makes, it names with a new barcode or token."""
    with dev() as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()
