"""The tapegate binary as a process: started, listened to, ended."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.paths import BINARY
from harness.seeds import ACCESS_KEY_ID, SECRET_ACCESS_KEY

# Bounds for what takes milliseconds when all is well.
STARTS_WITHIN = 30.0
ENDS_WITHIN = 30.0


def environment(more: Mapping[str, str] = {}) -> dict[str, str]:
    """This process's environment without anything that would configure tapegate or the AWS SDK."""
    ours = ("TAPEGATE_", "AWS_", "OTEL_", "RUST_LOG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    # No looking for credentials on the network: a test that needs some names them. Many processes
    # share the processors, so no call may be rejected because they are busy.
    calm = {"AWS_EC2_METADATA_DISABLED": "true", "TAPEGATE_MAX_SCHEDULING_DELAY": "1h"}
    return kept | calm | dict(more)


# What no process may ever say, whatever happens to it. Tests add what they make.
_secrets = {SECRET_ACCESS_KEY}


def plant(secret: str):
    """From now on no process may say this."""
    assert len(secret) >= 12, "too short to be told from other words"
    _secrets.add(secret)


def check_for_secrets(said: str):
    """Fails if anything that was planted is in there."""
    assert not [secret for secret in _secrets if secret in said], said


def run(*arguments: str, env: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
    """Runs a command that ends by itself."""
    done = subprocess.run(
        [BINARY, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=STARTS_WITHIN,
        env=environment(env),
    )
    check_for_secrets(done.stdout + done.stderr)
    return done


def make_token(name: str, *groups: str, file: Path) -> str:
    """A new static token."""
    made = run("token", "new", f"--name={name}", *(f"--group={group}" for group in groups), f"--file={file}")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    assert token not in made.stderr
    plant(token)
    return token


class Lines:
    """The lines that a process has written so far, with a way to wait for one."""

    def __init__(self, stream):
        self._stream = stream
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with self._stream:
            for line in self._stream:
                with self._changed:
                    self._lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def __str__(self):
        with self._changed:
            return "\n".join(self._lines)

    def all(self, within: float = ENDS_WITHIN) -> list[str]:
        """Every line, once the stream has ended."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._ended, within), "the stream is still open"
            return list(self._lines)

    def wait_for(self, wanted: Callable[[str], bool], within: float = STARTS_WITHIN) -> str | None:
        """The first line that is wanted; None when the stream or the time ends without one."""

        def found():
            return next(filter(wanted, self._lines), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None or self._ended, within)
            return found()


# What a service manager does between fork and exec: the sockets become the descriptors from 3 on.
_ACTIVATE = """
import fcntl, os, sys
moved = [fcntl.fcntl(int(given), fcntl.F_DUPFD, 100) for given in sys.argv[1].split(",")]
for number, descriptor in enumerate(moved):
    os.dup2(descriptor, 3 + number)
    os.close(descriptor)
os.environ["LISTEN_FDS"] = str(len(moved))
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class Tapegate:
    """A running tapegate. As a context, it is ended by SIGTERM and has to exit with 0, unless the test itself
    waited for its end."""

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str] = {},
        restore_signals: bool = True,
        sockets: Sequence[socket.socket] = (),
        program: Sequence[str] = (str(BINARY),),
    ):
        """With `sockets`, it is started as a service manager starts it for the connections that they have. `program` is
        a command that becomes the program."""
        command = [*program, *arguments]
        descriptors = [one.fileno() for one in sockets]
        if descriptors:
            command = [sys.executable, "-c", _ACTIVATE, ",".join(map(str, descriptors)), *command]
        self._process = subprocess.Popen(
            command,
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(env),
            restore_signals=restore_signals,
        )
        self._ended = False
        self.stdout = Lines(self._process.stdout)
        self.stderr = Lines(self._process.stderr)
        self.addresses = self._listening()

    def _listening(self) -> dict[str, str]:
        first = self.stdout.wait_for(lambda _: True)
        words = (first or "").split()
        if words[:1] != ["listening"]:
            self._process.kill()
            self._process.wait()
            said = "\n".join(self.stderr.all())
            raise AssertionError(f"first line on stdout: {first!r}; on stderr:\n{said}")
        return dict(word.split("=", 1) for word in words[1:])

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def grpc(self) -> str:
        return self.addresses["grpc"]

    @property
    def admin(self) -> str:
        return f"http://{self.addresses['admin']}"

    @property
    def emulator(self) -> str:
        return f"http://{self.addresses['emulator']}"

    def ask_to_end(self):
        """Sends SIGTERM."""
        self._process.terminate()

    def kill(self):
        """Sends SIGKILL, and waits for the end."""
        self._process.kill()
        self.wait()

    def wait(self, within: float = ENDS_WITHIN) -> int:
        """The exit code, once the process has ended by itself or was asked to."""
        self._ended = True
        try:
            code = self._process.wait(within)
            check_for_secrets(f"{self.stdout}\n{self.stderr}")
            return code
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"still running after {within} s; on stderr:\n{self.stderr}") from None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._ended:
            return
        self.ask_to_end()
        code = self.wait()
        assert code == 0 or error[0] is not None, f"exit code {code}; on stderr:\n{self.stderr}"


# What callers of the tests' emulators sign with.
EMULATOR_CREDENTIALS = {
    "TAPEGATE_EMULATOR_ACCESS_KEY_ID": ACCESS_KEY_ID,
    "TAPEGATE_EMULATOR_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
}


def dev(
    *arguments: str,
    listen: str = "127.0.0.1:0",
    env: Mapping[str, str] = {},
    program: Sequence[str] = (str(BINARY),),
) -> Tapegate:
    """`tapegate dev` on ports of its own."""
    listen = [f"--listen={listen}", "--admin-listen=127.0.0.1:0", "--emulator-listen=127.0.0.1:0"]
    return Tapegate("dev", *listen, *arguments, env=EMULATOR_CREDENTIALS | dict(env), program=program)


def emulator(*arguments: str, env: Mapping[str, str] = {}, restore_signals: bool = True) -> Tapegate:
    """`tapegate emulator` on a port of its own. Without `restore_signals` it ignores those that Python ignores."""
    env = EMULATOR_CREDENTIALS | dict(env)
    return Tapegate("emulator", "--listen=127.0.0.1:0", *arguments, env=env, restore_signals=restore_signals)
