"""Runs the commands of Markdown pages' ```console blocks and compares their output with the pages.

    check.py [--program PATH] [PAGE...]

Without PAGE, it checks all pages of the repository that have ```console blocks.

Bash runs the commands, in the order of the page. Output and errors of a command are compared together, as a terminal
shows them; `…` stands for anything. A command whose output begins with `listening` is a server: its stdout is compared,
and it runs until a later server needs one of its addresses, or until the end of the page. A command that begins with
`export` sets its variables for all later commands but servers, which have a terminal of their own. The command that
runs the tests is not run, because it runs this check.

The commands run in the root of the repository. Those of the README of a folder run in that folder of a copy, because
they build there.

With `--program`, commands that build the program are not run, and commands that run the program from `target/debug`,
`target/release` or with `cargo run` run the program at PATH. The agent in Rust is beside it, in `examples`. Without it
every command is run as the page has it.
"""

import argparse
import difflib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from console import Command, InvalidPage, begins_with, blocks, commands, matches, mismatch

# A command of the page may have to build something first: a release, from nothing.
COMMAND_ENDS_WITHIN = 1800.0
SERVER_STARTS_WITHIN = 1800.0
SERVER_ENDS_WITHIN = 60.0

TEST_COMMAND = "tests/run"

# How a page builds the program, and how it names it.
BUILD = re.compile(r"cargo build( --release)?")
PROGRAM = re.compile(r"cargo run( --package tapegate)? --(?=\s)|target/(debug|release)/tapegate(?![\w.-])")
AGENT = re.compile(r"cargo run --example agent --(?=\s)")

# What a terminal does not show as text.
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# Templates of pages in docs/, and a page whose commands need the files of a release: tests/clients/release runs them.
ELSEWHERE = ("tests/it/", "docs/releases.md")

# What cargo prints while it builds is not on the pages.
QUIET = {"CARGO_TERM_QUIET": "true"}

# For commands that a reader runs with credentials of their own.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Wrong(Exception):
    """The page is not what happens."""


class Server:
    """A command of the page that keeps running, in a process group of its own."""

    def __init__(self, command: Command, folder: Path, environment: dict[str, str]):
        for name, address in command.addresses.items():
            require_free(name, address)
        self.command = command
        self._process = subprocess.Popen(
            ["bash", "-c", command.text],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._printed: list[str] = []
        self._logged: list[str] = []
        self._open = 2
        self._changed = threading.Condition()
        for stream, lines in ((self._process.stdout, self._printed), (self._process.stderr, self._logged)):
            threading.Thread(target=self._read, args=(stream, lines), daemon=True).start()

    def _read(self, stream, lines: list[str]):
        with stream:
            for line in stream:
                with self._changed:
                    lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def wait_until_as_printed(self):
        """Waits for all that the page shows of its output."""
        expected = self.command.expected

        def settled() -> bool:
            return begins_with(expected, self._printed) or not self._open

        with self._changed:
            self._changed.wait_for(settled, SERVER_STARTS_WITHIN)
            if not begins_with(expected, self._printed):
                raise Wrong(difference(expected, self._printed) + self._log())

    def end(self):
        """Ends it as Ctrl-C does. It must have been running until now."""
        code = self._process.poll()
        if code is not None:
            raise Wrong(f"it ended by itself, with exit code {code}" + self._log())
        os.killpg(self._process.pid, signal.SIGINT)
        try:
            code = self._process.wait(SERVER_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Wrong(f"it did not end within {SERVER_ENDS_WITHIN:.0f} s of Ctrl-C" + self._log()) from None
        if code != 0:
            raise Wrong(f"exit code {code} after Ctrl-C" + self._log())

    def kill(self):
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _log(self) -> str:
        with self._changed:
            return "\nIts stderr ends with:\n" + indented(self._logged[-20:] or ["(nothing)"])


def require_free(name: str, address: str):
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        return
    with socket.socket(socket.AF_INET6 if host.startswith("[") else socket.AF_INET) as probe:
        # As servers do: the last one's closed connections do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            raise Wrong(f"{name} address {address} is not free: {error.strerror}; end what listens there") from None


def run(command: Command, folder: Path, environment: dict[str, str]):
    """Runs a command that ends by itself, and compares."""
    try:
        done = subprocess.run(
            ["bash", "-c", command.text],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_ENDS_WITHIN,
        )
    except subprocess.TimeoutExpired:
        raise Wrong(f"it did not end within {COMMAND_ENDS_WITHIN:.0f} s") from None
    printed = COLOUR.sub("", done.stdout).splitlines()
    if not matches(command.expected, printed):
        raise Wrong(difference(command.expected, printed))


def difference(expected: list[str], printed: list[str]) -> str:
    index = mismatch(expected, printed) or 0
    first = expected[index] if index < len(expected) else "the end"
    lines = difflib.unified_diff(expected, printed, "the page", "what was printed", lineterm="", n=1000)
    return f"first line that is not as printed: {first}\n" + indented(list(lines) or ["(nothing was printed)"])


def indented(lines: list[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)


def is_test_command(command: Command) -> bool:
    return shlex.split(command.text, comments=True)[:1] in ([TEST_COMMAND], [f"./{TEST_COMMAND}"])


def with_program(program: Path, page: list[Command]) -> list[Command]:
    """The commands of the page for a program that is already built."""
    used = [command for command in page if not BUILD.fullmatch(command.text)]
    name, agent = (shlex.quote(str(path)) for path in (program, program.parent / "examples" / "agent"))

    def text(command: Command) -> str:
        return AGENT.sub(lambda _: agent, PROGRAM.sub(lambda _: name, command.text))

    return [replace(command, text=text(command)) for command in used]


def tracked(root: Path, *patterns: str) -> list[Path]:
    """The files of the repository that git does not ignore, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    paths = map(Path, filter(None, listed.stdout.split("\0")))
    return sorted(path for path in paths if (root / path).is_file())


def pages(root: Path) -> list[Path]:
    """The pages that have commands to run."""
    found = [page for page in tracked(root, "*.md") if not page.as_posix().startswith(ELSEWHERE)]
    return [page for page in found if any(block.language == "console" for block in blocks((root / page).read_text()))]


def copy(root: Path, to: Path):
    """Copies the repository without what was built in it."""
    shutil.rmtree(to, ignore_errors=True)
    for path in tracked(root):
        (to / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / path, to / path)


class Session:
    """What a reader of the page does in a folder, from its first command to its last."""

    def __init__(self, page: Path, folder: Path, program: Path | None = None):
        ours = ("TAPEGATE_", "AWS_", "OTEL_", "RUST_LOG")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.faults: list[str] = []
        self._page = page
        self._folder = folder
        self._program = program
        self._environment = inherited | CREDENTIALS | QUIET
        self._exports: list[str] = []
        self._servers: list[Server] = []

    def follow(self):
        try:
            to_run = [command for command in commands(self._page.read_text()) if not is_test_command(command)]
        except InvalidPage as invalid:
            self.faults.append(f"{self._page}: {invalid}")
            return
        if self._program:
            to_run = with_program(self._program, to_run)
        if not to_run:
            self.faults.append(f"{self._page}: no ```console block has a command to check")
        try:
            for command in to_run:
                print(f"{self._page}:{command.line}: $ {command.text}", flush=True)
                with self._judging(command):
                    if command.is_server:
                        self._start(command)
                    else:
                        text = "\n".join([*self._exports, command.text])
                        run(replace(command, text=text), self._folder, self._environment)
                if command.text.startswith("export "):
                    self._exports.append(command.text)
        finally:
            self._end(self._servers)

    def _start(self, command: Command):
        wanted = set(command.addresses.values())
        self._end([server for server in self._servers if wanted & set(server.command.addresses.values())])
        server = Server(command, self._folder, self._environment)
        try:
            server.wait_until_as_printed()
        except Wrong:
            server.kill()
            raise
        self._servers.append(server)

    def _end(self, servers: list[Server]):
        for server in list(servers):
            self._servers.remove(server)
            with self._judging(server.command):
                server.end()

    @contextmanager
    def _judging(self, command: Command) -> Iterator[None]:
        try:
            yield
        except Wrong as wrong:
            self.faults.append(f"{self._page}:{command.line}: $ {command.text}\n{wrong}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", type=Path, metavar="PATH")
    parser.add_argument("pages", type=Path, nargs="*", metavar="PAGE")
    arguments = parser.parse_args()
    started = time.monotonic()
    faults: list[str] = []
    root = Path.cwd()
    program = arguments.program and arguments.program.resolve()
    copied = Path(os.environ.get("CARGO_TARGET_DIR", root / "target")) / "readme"
    checked = {page: page.name == "README.md" and page.parent != Path() for page in arguments.pages or pages(root)}
    if any(checked.values()):
        copy(root, copied)
    for page, of_folder in checked.items():
        session = Session(page, copied / page.parent if of_folder else root, program)
        session.follow()
        faults += session.faults
    for fault in faults:
        print(f"\n{fault}")
    print(f"\n{len(faults)} wrong, in {time.monotonic() - started:.1f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
