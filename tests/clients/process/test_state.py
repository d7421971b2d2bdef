"""The emulator's state file, and the process that it outlives.

The kills are ROUNDS by SEED, from TAPEGATE_KILL_ROUNDS and TAPEGATE_KILL_SEED; the calls between them are made by
threads, so that a seed repeats what is asked, and not the moment of the kill.
"""

import http.client
import json
import os
import random
import resource
import subprocess
import threading
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from harness.paths import BINARY
from harness.process import EMULATOR_CREDENTIALS, Tapegate, dev, emulator, environment
from harness.seeds import ACCESS_KEY_ID, GATEWAY, GIB, REGION, SECRET_ACCESS_KEY, SIZE, tape_arn

ROUNDS = int(os.environ.get("TAPEGATE_KILL_ROUNDS", "5"))
SEED = int(os.environ.get("TAPEGATE_KILL_SEED", "20261122"))

CALLERS = 4
# Tapes made in one file, before the library is full.
FULL = 1_000


def client(running: Tapegate) -> Any:
    return boto3.client(
        "storagegateway",
        region_name=REGION,
        endpoint_url=running.emulator,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=30),
    )


def control(running: Tapegate, page: str, body: dict | None = None) -> dict:
    """What a page of the control API answers."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{running.emulator}/_emulator/{page}", data, timeout=30) as answer:
        return json.load(answer)


def snapshot(running: Tapegate) -> dict:
    """What the emulator holds of the region."""
    document = control(running, "snapshot")
    return document["regions"][REGION] | {"clock": document["clock"]}


def code(error: ClientError) -> str:
    return error.response.get("error", {}).get("errorCode") or error.response["Error"]["Code"]


class Ledger:
    """What was asked of the emulator in one state file, and what it has answered."""

    def __init__(self):
        self.lock = threading.Lock()
        self.answered = threading.Condition(self.lock)
        self.answers = 0
        # The arguments by token, and the ARNs where they were answered.
        self.many: dict[str, tuple[dict, list[str] | None]] = {}
        # Whether the creation of a barcode was answered.
        self.single: dict[str, bool] = {}
        # Of each tape: whether its deletion, its eject, and which tags were answered. All may be there unanswered.
        self.deleted: dict[str, bool] = {}
        self.ejected: dict[str, bool] = {}
        self.tagged: dict[str, dict[str, bool]] = {}
        # The last time shown, in milliseconds since 1970.
        self.clock = 0

    def tapes(self) -> list[str]:
        arns = [arn for _, arns in self.many.values() for arn in arns or []]
        return arns + [tape_arn(barcode) for barcode, is_answered in self.single.items() if is_answered]


def call(running: Tapegate, aws: Any, ledger: Ledger, dice: random.Random, name: str):
    """One call; what is asked is noted before, and that it was answered after."""
    kinds = ["many", "single", "tag", "delete", "eject", "step", "list"]
    kind = dice.choices(kinds, [5, 3, 2, 2, 2, 1, 1])[0]
    with ledger.lock:
        tapes = [arn for arn in ledger.tapes() if arn not in ledger.deleted and arn not in ledger.ejected]
    if kind in ("tag", "delete", "eject") and not tapes:
        kind = "many"
    if kind == "many":
        arguments = {
            "GatewayARN": GATEWAY,
            "TapeSizeInBytes": dice.choice([100, 200]) * GIB,
            "ClientToken": name,
            "NumTapesToCreate": dice.choice([1, 3, 10]),
            "TapeBarcodePrefix": "KILL",
            "Tags": [{"Key": "made by", "Value": name}],
        }
        with ledger.lock:
            ledger.many[name] = (arguments, None)
        arns = aws.create_tapes(**arguments)["TapeARNs"]
        with ledger.lock:
            ledger.many[name] = (arguments, arns)
    elif kind == "single":
        barcode = f"S{dice.randrange(36**6):010}"
        with ledger.lock:
            ledger.single[barcode] = False
        assert create_single(aws, barcode) is None
        with ledger.lock:
            ledger.single[barcode] = True
    elif kind == "tag":
        arn = dice.choice(tapes)
        with ledger.lock:
            ledger.tagged.setdefault(arn, {})[name] = False
        refusal = refused(aws.add_tags_to_resource, ResourceARN=arn, Tags=[{"Key": name, "Value": "x" * 100}])
        if refusal is not None:
            assert refusal == "TapeCartridgeNotFound", "all but deleted by another caller meanwhile"
            return
        with ledger.lock:
            ledger.tagged[arn][name] = True
    elif kind == "delete":
        arn = dice.choice(tapes)
        with ledger.lock:
            if arn in ledger.deleted or arn in ledger.ejected:
                return
            ledger.deleted[arn] = False
        aws.delete_tape(GatewayARN=GATEWAY, TapeARN=arn)
        with ledger.lock:
            ledger.deleted[arn] = True
    elif kind == "eject":
        arn = dice.choice(tapes)
        with ledger.lock:
            if arn in ledger.deleted or arn in ledger.ejected:
                return
            ledger.ejected[arn] = False
        control(running, "eject", {"tape_arn": arn})
        with ledger.lock:
            ledger.ejected[arn] = True
    elif kind == "step":
        now = datetime.fromisoformat(control(running, "clock", {"step_seconds": dice.randrange(600)})["now"])
        with ledger.lock:
            ledger.clock = max(ledger.clock, int(now.timestamp() * 1000))
    else:
        aws.list_tapes(Limit=10)


def refused(method: Any, **arguments: Any) -> str | None:
    """The code of a refusal; None for an answer."""
    try:
        method(**arguments)
    except ClientError as error:
        return code(error)
    return None


def create_single(aws: Any, barcode: str) -> str | None:
    return refused(aws.create_tape_with_barcode, GatewayARN=GATEWAY, TapeSizeInBytes=SIZE, TapeBarcode=barcode)


def calls_until_killed(running: Tapegate, ledger: Ledger, number: int, dice: random.Random):
    """Callers at once, until the kill, which comes a moment after some of them were answered."""
    wanted, moment = dice.randint(1, 60), dice.random() * 0.01
    wrong: list[BaseException] = []

    def stream(caller: int, dice: random.Random):
        aws = client(running)
        try:
            for n in range(1_000_000):
                call(running, aws, ledger, dice, f"token-{number}-{caller}-{n}")
                with ledger.answered:
                    ledger.answers += 1
                    ledger.answered.notify_all()
        except urllib.error.HTTPError as error:  # an OSError, but an answer
            wrong.append(error)
        except (BotoCoreError, OSError, http.client.HTTPException):
            pass  # the kill
        except BaseException as error:
            wrong.append(error)
        with ledger.answered:
            ledger.answered.notify_all()

    before = ledger.answers
    threads = [threading.Thread(target=stream, args=(n, random.Random(dice.random()))) for n in range(CALLERS)]
    for thread in threads:
        thread.start()
    with ledger.answered:
        assert ledger.answered.wait_for(lambda: wrong or ledger.answers >= before + wanted, 60)
    time.sleep(moment)
    running.kill()
    for thread in threads:
        thread.join()
    assert not wrong, wrong


def kill_at_start(*arguments: str, within: float):
    """A start that is killed before it has ended, most likely."""
    command = [BINARY, "emulator", "--listen=127.0.0.1:0", *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(EMULATOR_CREDENTIALS),
    ) as process:
        time.sleep(within)
        process.kill()


def check(running: Tapegate, ledger: Ledger):
    """What was answered is there, what was not is there as a whole or not at all; repeats settle it."""
    found = snapshot(running)
    tapes, tags, tokens = found["tapes"], found["tags"], found["tokens"]

    assert found["clock"] >= ledger.clock, "the time went back"
    ledger.clock = found["clock"]
    made = [barcode for row in tokens.values() for barcode in row["barcodes"]]
    assert len(made) == len(set(made)), "a barcode was made twice"
    assert sorted(made) == sorted(barcode for barcode in tapes if barcode.startswith("KILL"))
    assert tokens.keys() <= ledger.many.keys()
    for token, (arguments, arns) in ledger.many.items():
        row = tokens.get(token)
        if row is None:
            assert arns is None, f"{token} was answered and is lost"
            continue
        there = [tape_arn(barcode) for barcode in row["barcodes"]]
        assert arns in (None, there) and len(there) == arguments["NumTapesToCreate"], token
        assert all(tags[arn]["made by"] == token for arn in there), f"{token} has tapes without their tags"
    for barcode, is_answered in ledger.single.items():
        assert barcode in tapes or not is_answered, f"{barcode} was answered and is lost"
    for arn, keys in ledger.tagged.items():
        for key, is_answered in keys.items():
            assert key in tags.get(arn, {}) or not is_answered, f"tag {key} of {arn} was answered and is lost"
    for arn, is_answered in ledger.deleted.items():
        status = tapes[arn.rpartition("/")[2]]["status"]
        allowed = ["DELETING", "DELETED"] if is_answered else ["DELETING", "DELETED", "CREATING", "AVAILABLE"]
        assert status in allowed, f"{arn}, deleted, is {status}"

    for arn, is_answered in ledger.ejected.items():
        status = tapes[arn.rpartition("/")[2]]["status"]
        allowed = ["ARCHIVING", "ARCHIVED"] if is_answered else ["ARCHIVING", "ARCHIVED", "CREATING", "AVAILABLE"]
        assert status in allowed, f"{arn}, ejected, is {status}"

    aws = client(running)
    for token, (arguments, arns) in ledger.many.items():
        again = aws.create_tapes(**arguments)["TapeARNs"]
        assert arns in (None, again), f"{token}, repeated, gives {again} and not {arns}"
        ledger.many[token] = (arguments, again)
    for barcode in ledger.single:
        expected = "InvalidParameters" if barcode in tapes else None
        assert create_single(aws, barcode) == expected, f"{barcode}, repeated"
        ledger.single[barcode] = True
    now = snapshot(running)
    asked_for = {arn.rpartition("/")[2] for arn in ledger.tapes()}
    assert now["tapes"].keys() == asked_for, "not exactly the tapes that were asked for"
    assert len(now["tokens"]) == len(ledger.many)


def test_kills_lose_no_answered_change_and_halve_none(tmp_path: Path):
    dice = random.Random(SEED)
    ledger, files, answers, tapes = Ledger(), 0, 0, 0
    for number in range(ROUNDS):
        if number == 0 or len(ledger.tapes()) > FULL:
            answers, tapes, files = answers + ledger.answers, tapes + len(ledger.tapes()), files + 1
            ledger = Ledger()
        # Fast enough that deleted tapes pass through their statuses meanwhile.
        arguments = (f"--state={tmp_path}/{files}.redb", "--seed-tapes=0", "--time-scale=600")
        for _ in range(dice.choice([0, 0, 1, 2])):
            kill_at_start(*arguments, within=dice.random() * 0.1)
        calls_until_killed(emulator(*arguments), ledger, number, dice)
        with emulator(*arguments) as running:
            check(running, ledger)
    answers, tapes = answers + ledger.answers, tapes + len(ledger.tapes())
    print(f"{ROUNDS} kills of seed {SEED}: {answers} answers before them, {tapes} tapes in {files} files")
    assert answers >= ROUNDS


def test_a_full_disk_is_told_and_what_it_kept_from_being_written_is_written_later(tmp_path: Path):
    arguments = (f"--state={tmp_path}/state.redb", "--seed-tapes=0")
    # Python ignores SIGXFSZ, so that a write past the limit is an error and no end.
    running = emulator(*arguments, restore_signals=False)
    aws = client(running)

    def create(n: int) -> list[str]:
        tags = [{"Key": f"key {key}", "Value": "x" * 250} for key in range(50)]
        return aws.create_tapes(
            GatewayARN=GATEWAY,
            TapeSizeInBytes=SIZE,
            ClientToken=f"token-{n}",
            NumTapesToCreate=10,
            TapeBarcodePrefix="FULL",
            Tags=tags,
        )["TapeARNs"]

    made = [create(0)]
    size = (tmp_path / "state.redb").stat().st_size
    unlimited = resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    with pytest.raises(ClientError) as error:
        while len(made) < 100:
            made.append(create(len(made)))
    answer = error.value.response
    assert (code(error.value), answer["ResponseMetadata"]["HTTPStatusCode"]) == ("InternalServerError", 500)
    with pytest.raises(ClientError) as error:
        aws.list_tapes()
    assert code(error.value) == "InternalServerError", "a list shows what is not kept"
    assert running.stderr.wait_for(lambda line: "ERROR" in line and "state cannot be saved" in line)

    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, unlimited)
    made.append(create(len(made)))
    assert running.stderr.wait_for(lambda line: "state is saved again" in line)
    running.kill()
    with emulator(*arguments) as again:
        tapes = snapshot(again)["tapes"]
    assert sorted(tape_arn(barcode) for barcode in tapes) == sorted(arn for arns in made for arn in arns)


def test_a_first_start_on_a_full_disk_leaves_nothing_behind(tmp_path: Path):
    state = tmp_path / "state.redb"
    command = [BINARY, "emulator", "--listen=127.0.0.1:0", f"--state={state}"]
    # The file has no room for the seeded tapes.
    limit = ["prlimit", "--fsize=100000", "--"]
    done = subprocess.run(
        [*limit, *command], capture_output=True, text=True, timeout=30, env=environment(), restore_signals=False
    )
    assert done.returncode == 1 and str(state) in done.stderr
    assert not list(tmp_path.iterdir())


def test_dev_keeps_its_emulator_s_state_too(tmp_path: Path):
    state = f"--emulator-state={tmp_path}/state.redb"
    with dev(state) as running:
        assert create_single(client(running), "DEVKEEPS1") is None
    with dev(state) as running:
        assert running.stdout.wait_for(lambda line: "251 tapes restored" in line)
        assert "DEVKEEPS1" in snapshot(running)["tapes"]


def test_a_state_that_cannot_be_used_stops_the_start_and_says_what_to_do(tmp_path: Path):
    def complaint(path: Path) -> str:
        command = [BINARY, "emulator", "--listen=127.0.0.1:0", f"--state={path}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment())
        assert (done.returncode, done.stdout) == (1, "")
        [line] = done.stderr.splitlines()
        start = f"tapegate: cannot use the emulator's state file {path} (setting state): "
        assert line.startswith(start)
        return line.removeprefix(start)

    state = tmp_path / "state.redb"
    with emulator(f"--state={state}") as running:
        lines = running.stdout
        assert lines.wait_for(lambda line: line == f"state file {state}: new, with 250 seeded tapes")
        assert complaint(state) == "the file is in use by another emulator; stop that emulator, or choose another file"
    with emulator(f"--state={state}", "--seed-tapes=3") as running:
        again = f"state file {state}: 250 tapes restored, none seeded"
        assert running.stdout.wait_for(lambda line: line == again)

    (tmp_path / "text").write_text("no state")
    assert "delete it to start with a new state" in complaint(tmp_path / "text")
    assert "check that its folder exists" in complaint(tmp_path / "nowhere" / "state")
    assert "check that its folder exists" in complaint(tmp_path)
