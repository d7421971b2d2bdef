"""`tapegate token new`: a secret that is shown once, and a file that never breaks."""

import os
import re
import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.process import make_token, run


def rows(file: Path) -> list[dict]:
    return tomllib.loads(file.read_text()).get("token", [])


def test_the_file_has_all_but_the_token(tmp_path):
    file = tmp_path / "tokens.toml"
    token = make_token('agent "one"', "backup", "site-berlin", file=file)
    found = re.fullmatch(r"tapegate_([0-9a-f]{16})_([A-Za-z0-9_-]{43})", token)
    assert found
    [row] = rows(file)
    assert row["id"] == found[1]
    assert row["name"] == 'agent "one"'
    assert row["groups"] == ["backup", "site-berlin"]
    assert found[2] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_people_wrote_into_the_file_stays(tmp_path):
    file = tmp_path / "tokens.toml"
    make_token("first", file=file)
    written = "# of the night shift\n" + file.read_text()
    file.write_text(written)
    file.chmod(0o640)
    make_token("second", file=file)
    assert file.read_text().startswith(written)
    assert [row["name"] for row in rows(file)] == ["first", "second"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_tokens_made_at_once_are_all_in_the_file(tmp_path):
    file = tmp_path / "tokens.toml"
    names = [f"agent-{number}" for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda name: make_token(name, file=file), names))
    assert len(set(tokens)) == len(names)
    assert sorted(row["name"] for row in rows(file)) == sorted(names)
    assert os.listdir(tmp_path) == ["tokens.toml"]


def test_a_link_to_the_file_stays_a_link(tmp_path):
    file, link = tmp_path / "kept.toml", tmp_path / "tokens.toml"
    link.symlink_to(file)
    file.touch()
    make_token("agent", file=link)
    assert link.is_symlink()
    assert len(rows(file)) == 1


def test_a_file_that_is_wrong_already_is_left_alone(tmp_path):
    file = tmp_path / "tokens.toml"
    file.write_text('[[token]]\nid = "short"\n')
    refused = run("token", "new", "--name=agent", f"--file={file}")
    assert refused.returncode != 0
    assert refused.stdout == ""
    assert str(file) in refused.stderr
    assert "line" in refused.stderr
    assert file.read_text() == '[[token]]\nid = "short"\n'


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--name="], "name"),
        (["--name=agent", "--expires-in=20y"], "10 years"),
        (["--name=agent", "--expires-in=soon"], "10 years"),
        (["--name=agent", "--expires-in=0s"], "10 years"),
        (["--name=a\nb"], "control characters"),
        ([], "--name"),
    ],
)
def test_what_makes_no_token_leaves_no_file(tmp_path, flags, told):
    file = tmp_path / "tokens.toml"
    refused = run("token", "new", *flags, f"--file={file}")
    assert refused.returncode != 0
    assert refused.stdout == ""
    assert told in refused.stderr
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    refused = run("token", "new", "--name=agent", f"--file={tmp_path}/nowhere/tokens.toml")
    assert refused.returncode != 0
    assert refused.stdout == ""
    assert "nowhere" in refused.stderr


def test_the_list_has_all_but_the_secret(tmp_path):
    file = tmp_path / "tokens.toml"
    first = make_token("agent one", "backup", "site-berlin", file=file)
    second = make_token("other", file=file)
    listed = run("token", "list", f"--file={file}")
    assert listed.returncode == 0, listed.stderr
    header, *lines = listed.stdout.splitlines()
    assert header.split() == ["ID", "EXPIRES", "CREATED", "NAME", "GROUPS"]
    for line, row, secret in zip(lines, rows(file), [first, second], strict=True):
        assert line.startswith(row["id"])
        assert row["created"] in line
        assert row["expires"] in line
        assert row["name"] in line
        assert ",".join(row["groups"]) in line
        assert row["sha256"] not in line
        assert secret.rsplit("_", 1)[1] not in line


def test_tokens_are_revoked_by_name_and_by_id(tmp_path):
    file = tmp_path / "tokens.toml"
    for name in ["old", "twice", "twice", "last"]:
        make_token(name, file=file)
    first, _, third, last = rows(file)
    revoked = run("token", "revoke", f"--id={first['id']}", f"--file={file}")
    assert revoked.returncode == 0, revoked.stderr
    assert first["id"] in revoked.stderr
    revoked = run("token", "revoke", "--name=twice", f"--file={file}")
    assert revoked.returncode == 0
    assert third["id"] in revoked.stderr
    assert rows(file) == [last]


def test_what_people_wrote_into_the_file_stays_when_a_token_is_revoked(tmp_path):
    file = tmp_path / "tokens.toml"
    for name in ["first", "second", "third"]:
        make_token(name, file=file)
    first, second, third = file.read_text().split("\n\n")
    groups = 'groups = [\n  "a", # [[token]]\n  "b",\n] # two'
    second = second.replace("groups = []", groups)
    file.write_text(f"# all\n{first} # one\n\n# before\n  {second} # hash\n\n# the night shift\n\n{third}# end\n")
    file.chmod(0o640)
    revoked = run("token", "revoke", "--name=second", f"--file={file}")
    assert revoked.returncode == 0, revoked.stderr
    assert file.read_text() == f"# all\n{first} # one\n\n# before\n# the night shift\n\n{third}# end\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert run("token", "revoke", "--name=first", f"--file={file}").returncode == 0
    assert run("token", "revoke", "--name=third", f"--file={file}").returncode == 0
    assert rows(file) == []
    assert os.listdir(tmp_path) == ["tokens.toml"]


@pytest.mark.parametrize("which", ["--name=agent-8", "--id=0123456789abcdef"])
def test_a_token_that_is_not_there_is_not_revoked(tmp_path, which):
    file = tmp_path / "tokens.toml"
    make_token("agent-7", file=file)
    before = file.read_text()
    refused = run("token", "revoke", which, f"--file={file}")
    assert refused.returncode == 1
    known = "agent-7" if "name" in which else rows(file)[0]["id"]
    assert f'"{known}"' in refused.stderr
    assert file.read_text() == before


@pytest.mark.parametrize("command", [["list"], ["revoke", "--name=agent"]])
def test_a_file_that_is_wrong_or_missing_is_told_of(tmp_path, command):
    file = tmp_path / "tokens.toml"
    assert run("token", *command, f"--file={file}").returncode == 1
    assert not file.exists()
    file.write_text('[[token]]\nid = "short"\n')
    refused = run("token", *command, f"--file={file}")
    assert refused.returncode == 1
    assert "line 1" in refused.stderr or "line 2" in refused.stderr


def test_a_token_that_is_no_table_of_its_own_is_left_alone(tmp_path):
    file = tmp_path / "tokens.toml"
    make_token("agent", file=file)
    [row] = rows(file)
    inline = ", ".join(f"{key} = {value!r}".replace("'", '"') for key, value in row.items())
    file.write_text(f"token = [{{ {inline} }}]\n")
    refused = run("token", "revoke", "--name=agent", f"--file={file}")
    assert refused.returncode == 1
    assert "editor" in refused.stderr
    assert rows(file) == [row]
