"""Every fenced block of the repository's pages: run, checked in another way, or with a mark that says why it is not."""

import configparser
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from check import tracked

from console import Block, blocks, commands
from harness.paths import ROOT
from harness.process import run

# Code on the pages, by page and language, and the test that runs it or compares it with a program that is run.
CODE = {
    ("docs/emulator.md", "python"): "tests/clients/python/test_documented_client.py",
    ("docs/operations.md", "text"): "tests/clients/harness/store.py",
    ("docs/security.md", "cedar"): "tests/clients/readme/test_pages.py",
    ("docs/service-config.md", "dns"): "tests/clients/harness/dns.py",
    ("docs/service-config.md", "go"): "tests/clients/go/test_go.py",
    ("docs/service-config.md", "java"): "tests/clients/examples/test_agents.py",
    ("docs/service-config.md", "python"): "tests/clients/harness/channel.py",
    ("docs/service-config.md", "typescript"): "tests/clients/examples/test_agents.py",
}
# No commands, and no code.
DIAGRAMS = {"mermaid"}


def ini(text: str):
    configparser.ConfigParser().read_string(text)


DATA = {"ini": ini, "json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}

PAGES = [page.as_posix() for page in tracked(ROOT, "*.md")]
BLOCKS = [(page, block) for page in PAGES for block in blocks((ROOT / page).read_text())]


def of(language: str) -> list:
    """The blocks of a language, each as a parameter."""
    return [
        pytest.param(page, block, id=f"{page}:{block.first}") for page, block in BLOCKS if block.language == language
    ]


def test_there_are_pages():
    assert {"README.md", "CONTRIBUTING.md", "docs/operations.md", "examples/python/README.md"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_run_or_says_why_not(page: str):
    text = (ROOT / page).read_text()
    commands(text)
    for block in blocks(text):
        where = f"{page}:{block.first - 1}"
        if block.language == "":
            assert not any(line.startswith("$ ") for line in block.lines), f"{where}: commands are in ```console blocks"
        elif block.language in DATA:
            DATA[block.language]("\n".join(block.lines))
        elif block.language != "console" and not block.is_marked and block.language not in DIAGRAMS:
            test = CODE.get((page, block.language))
            assert test, f"{where}: no test is known of a ```{block.language} block; add one to CODE"
            assert Path(page).name in (ROOT / test).read_text(), f"{test} does not read {page}"


def test_every_test_of_code_has_a_block():
    assert CODE.keys() <= {(page, block.language) for page, block in BLOCKS}


def script(command: str) -> str:
    """What a test command runs, as a page writes it."""
    path, _, step = command.partition(" ")
    text = (ROOT / path).read_text()
    if step:
        functions = dict(re.findall(r"^(\w+)\(\) \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL))
        text = functions[f"step_{step}"]
        text += "".join(body for name, body in functions.items() if name in text)
    return text.replace("$CARGO_TARGET_DIR", "target").replace('"', "")


MARKED = [pytest.param(page, block, id=f"{page}:{block.first}") for page, block in BLOCKS if block.run_by]


@pytest.mark.parametrize(("page", "block"), MARKED)
def test_the_commands_of_a_marked_block_are_run_as_it_says(page: str, block: Block):
    run_by = script(block.run_by)
    for line in block.lines:
        words = [word for word in line.partition("#")[0].split() if "=" not in word or word.startswith("-")]
        # With other options, such as fewer repetitions.
        program = " ".join(words[: next((at for at, word in enumerate(words) if word.startswith("-")), None)])
        assert program and program in run_by, f"{page}: {block.run_by} does not run {program}"


# What is not the configuration of the service: the dependency of a program, the file of tokens, and the file of the
# emulator.
OTHER_TOML = ("[dependencies]", "[[token]]", "[[role]]", "# emulator.toml")


@pytest.mark.parametrize(("page", "block"), of("toml"))
def test_every_setting_exists(page: str, block: Block, tmp_path: Path):
    text = "\n".join(block.lines)
    if any(one in text for one in OTHER_TOML):
        return
    file = tmp_path / "tapegate.toml"
    file.write_text(text)
    said = run("check", f"--config={file}").stderr
    assert "unknown" not in said and "expected" not in said.replace("is not set; expected", ""), said


@pytest.mark.parametrize(("page", "block"), of("cedar"))
def test_every_policy_is_valid(page: str, block: Block, tmp_path: Path):
    schema = ROOT / "deploy" / "policies" / "tapegate.cedarschema"
    (tmp_path / schema.name).write_text(schema.read_text())
    (tmp_path / "page.cedar").write_text("\n".join(block.lines))
    said = run("check", f"--policy-path={tmp_path}").stderr
    assert "page.cedar" not in said, said
