"""The check as a whole: pages whose commands do, and do not, what the page says."""

import socket
import subprocess
import textwrap
from pathlib import Path

import pytest
from check import Session, copy, pages

# A server that ends with 0 on Ctrl-C, as tapegate does.
SERVER = """\
import signal, socket, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
host, port = sys.argv[1].split(":")
with socket.create_server((host, int(port))):
    print(f"listening grpc={sys.argv[1]}", *sys.argv[2:], flush=True)
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
    (fault,) = faults_of("$ tests/run")
    assert "README.md: no ```console block has a command to check" in fault


def test_a_program_that_is_built_stands_for_the_page_s(faults_of):
    page = """
        $ cargo build
        …
        $ cargo build --release
        …
        $ cargo run -- dev
        dev
        $ cargo run --package tapegate -- health; target/debug/tapegate health; target/release/tapegate check
        health
        health
        check
        $ echo target/debug/tapegate.d
        target/debug/tapegate.d
    """
    assert not faults_of(page, Path("/bin/echo"))


def test_the_agent_in_rust_is_beside_the_program(faults_of, tmp_path: Path):
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "agent").symlink_to("/bin/echo")
    assert not faults_of(
        """
        $ cargo run --example agent -- list
        list
        """,
        tmp_path / "tapegate",
    )


def test_an_export_is_for_later_commands_but_not_for_servers(faults_of, address: str):
    assert not faults_of(f"""
        $ echo "${{FIRST:-none}}"
        none
        $ export FIRST=1
        $ export SECOND=$((FIRST + 1))
        $ echo "$FIRST $SECOND"
        1 2
        $ exec python3 server.py {address} "${{FIRST:-none}}"
        listening grpc={address} none
    """)


def test_colours_are_not_compared(faults_of):
    assert not faults_of(r"""
        $ printf '\033[0;31mred\033[m\n'
        red
    """)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    (root / ".gitignore").write_text("built/\n")
    for page in ["README.md", "docs/new.md", "docs/text.md", "built/README.md", "tests/it/template.md"]:
        (root / page).parent.mkdir(parents=True, exist_ok=True)
        (root / page).write_text("text\n" if "text" in page else "```console\n$ true\n```\n")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    return root


def test_every_page_with_commands_is_checked(repository: Path):
    assert pages(repository) == [Path("README.md"), Path("docs/new.md")]


def test_a_copy_has_nothing_that_was_built(repository: Path, tmp_path: Path):
    to = tmp_path / "copy"
    (to / "built").mkdir(parents=True)
    copy(repository, to)
    assert (to / "docs" / "new.md").is_file()
    assert not (to / "built").exists()


def test_without_a_program_every_command_is_run(faults_of):
    (fault,) = faults_of("$ target/release/tapegate check")
    assert "No such file" in fault
