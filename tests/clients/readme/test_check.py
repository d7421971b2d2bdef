"""The check as a whole: pages whose commands do, and do not, what the page says."""

import socket
import textwrap
from pathlib import Path

import pytest
from check import Session

# A server that ends with 0 on Ctrl-C, as tapegate does.
SERVER = """\
import signal, socket, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
host, port = sys.argv[1].split(":")
with socket.create_server((host, int(port))):
    print(f"listening grpc={sys.argv[1]}", flush=True)
    signal.pause()
"""


@pytest.fixture
def address() -> str:
    """An address that is free."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        host, port = probe.getsockname()
    return f"{host}:{port}"


@pytest.fixture
def faults_of(tmp_path: Path):
    """What is wrong with a page whose console block is the argument."""
    (tmp_path / "server.py").write_text(SERVER)

    def follow(block: str, program: Path | None = None) -> list[str]:
        page = tmp_path / "README.md"
        page.write_text(f"```console\n{textwrap.dedent(block).strip()}\n```\n")
        session = Session(page, tmp_path, program)
        session.follow()
        return session.faults

    return follow


def test_a_page_that_is_right(faults_of, address: str):
    assert not faults_of(f"""
        $ python3 server.py {address}
        listening grpc={address}
        $ python3 -c 'import socket; print(socket.create_connection(("127.0.0.1", {address.partition(":")[2]})))'
        <socket.socket …>
        $ echo out; echo err >&2
        out
        err
    """)


def test_every_wrong_output_is_shown(faults_of):
    first, second = faults_of("""
        $ echo one
        two
        $ true
        $ echo three
    """)
    assert "README.md:2" in first
    assert "-two" in first
    assert "+one" in first
    assert "README.md:5" in second
    assert "+three" in second


def test_a_later_server_takes_the_address_of_an_earlier_one(faults_of, address: str):
    assert not faults_of(f"""
        $ python3 server.py {address}
        listening grpc={address}
        $ python3 server.py {address}
        listening grpc={address}
    """)


def test_a_server_has_to_run_until_the_end(faults_of, address: str):
    (fault,) = faults_of(f"""
        $ echo $$ >pid; echo listening grpc={address}
        listening grpc={address}
        $ until grep --quiet zombie /proc/$(cat pid)/status; do sleep 0.01; done
    """)
    assert "ended by itself, with exit code 0" in fault


def test_a_server_that_says_something_else_is_not_waited_for(faults_of, address: str):
    (fault,) = faults_of(f"""
        $ echo no such file >&2; exit 1
        listening grpc={address}
    """)
    assert f"-listening grpc={address}" in fault
    assert "no such file" in fault


def test_an_address_that_is_taken_is_named(faults_of):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "{}:{}".format(*taken.getsockname())
        (fault,) = faults_of(f"""
            $ python3 server.py {address}
            listening grpc={address}
        """)
    assert f"{address} is not free" in fault


def test_the_test_command_is_not_run(faults_of):
    assert faults_of("$ tests/run") == ["README.md: no ```console block has a command to check"]


def test_a_program_that_is_built_stands_for_the_page_s(faults_of):
    page = """
        $ cargo build
        …
        $ cargo build --release
        …
        $ cargo run -- dev
        dev
        $ target/debug/tapegate health; target/release/tapegate check
        health
        check
        $ echo target/debug/tapegate.d
        target/debug/tapegate.d
    """
    assert not faults_of(page, Path("/bin/echo"))


def test_without_a_program_every_command_is_run(faults_of):
    (fault,) = faults_of("$ target/release/tapegate check")
    assert "No such file" in fault
