"""The ```console blocks of a Markdown page: what to type, and what one should see then."""

import re
from dataclasses import dataclass, field

# Stands for anything within a line or, alone on a line, for any lines.
ELLIPSIS = "…"
PROMPT = "$ "
CONTINUED = "> "
# Blocks under these names would be commands that nobody checks. After the name, a block can say why it is not run
# here: what it needs that a test does not have (```sh needs a cluster), or what runs its commands, which take longer
# (```sh run by tests/run costs).
UNCHECKED = frozenset({"bash", "sh", "shell", "zsh", "shell-session", "shellsession", "terminal"})
NEEDS = frozenset({"needs AWS", "needs a cluster", "needs a container engine", "needs a key", "needs systemd"})
RUN_BY = re.compile(r"run by (tests/run \w+|tests/soak/run)")

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,}) *(?P<language>[\w-]*) *(?P<mark>.*)$")


class InvalidPage(Exception):
    """The page cannot be checked as it is written."""


@dataclass
class Command:
    """A command and the lines that are printed beneath it."""

    line: int
    text: str
    expected: list[str] = field(default_factory=list)

    @property
    def is_server(self) -> bool:
        """Whether it keeps running: tapegate's first line says so."""
        return bool(self.expected) and self.expected[0].startswith("listening ")

    @property
    def addresses(self) -> dict[str, str]:
        """Where a server says that it listens."""
        words = self.expected[0].split()[1:] if self.is_server else []
        return dict(word.split("=", 1) for word in words if "=" in word)


@dataclass
class Block:
    """A fenced block."""

    language: str
    # What follows the language.
    mark: str
    # The number of the first line.
    first: int
    lines: list[str] = field(default_factory=list)

    @property
    def is_marked(self) -> bool:
        """Whether it says why its commands are not run here."""
        return self.mark in NEEDS or self.run_by is not None

    @property
    def run_by(self) -> str | None:
        """The command that runs its commands."""
        match = RUN_BY.fullmatch(self.mark)
        return match and match[1]


def commands(page: str) -> list[Command]:
    """The commands of all console blocks, in order."""
    found: list[Command] = []
    faults: list[str] = []
    for block in blocks(page):
        if block.language == "console":
            found += read_block(block, faults)
        elif block.language in UNCHECKED and not block.is_marked:
            faults.append(f"line {block.first - 1}: a ```{block.language} block; only ```console blocks are checked")
    if faults:
        raise InvalidPage("\n".join(faults))
    return found


def blocks(page: str) -> list[Block]:
    """The fenced blocks."""
    found: list[Block] = []
    opening = None
    for number, line in enumerate(page.splitlines(), start=1):
        if opening is None:
            if opening := FENCE.match(line):
                found.append(Block(opening["language"].lower(), opening["mark"], number + 1))
            continue
        if line.strip() and set(line.strip()) == {opening["fence"][0]} and len(line.strip()) >= len(opening["fence"]):
            opening = None
        else:
            found[-1].lines.append(line.removeprefix(opening["indent"]))
    if opening is not None:
        raise InvalidPage(f"line {found[-1].first - 1}: the block has no end")
    return found


def read_block(block: Block, faults: list[str]) -> list[Command]:
    found: list[Command] = []
    continued = False
    for number, line in enumerate(block.lines, start=block.first):
        if continued or (found and not found[-1].expected and line.startswith(CONTINUED)):
            found[-1].text += "\n" + line.removeprefix(CONTINUED)
        elif line.startswith(PROMPT):
            found.append(Command(number, line.removeprefix(PROMPT)))
        elif found:
            found[-1].expected.append(line)
            continue
        else:
            faults.append(f"line {number}: a console block begins with a command, after `{PROMPT}`")
            continue
        continued = found[-1].text.endswith("\\")
    return found


def matches(expected: list[str], actual: list[str]) -> bool:
    """Whether the output is as the page says. Empty lines at the end count on neither side."""
    return mismatch(expected, actual) is None


def mismatch(expected: list[str], actual: list[str]) -> int | None:
    """The index of the first expected line that the output does not have; None when it is as expected."""
    expected, actual = trimmed(expected), trimmed(actual)
    # How many of the actual lines the expected lines so far can have taken.
    taken = {0}
    for index, line in enumerate(expected):
        if line.strip() == ELLIPSIS:
            after = set(range(min(taken), len(actual) + 1))
        else:
            after = {n + 1 for n in taken if n < len(actual) and line_matches(line, actual[n])}
        if not after:
            return index
        taken = after
    return None if len(actual) in taken else len(expected)


def begins_with(expected: list[str], actual: list[str]) -> bool:
    """Whether the output of a program that still runs is as the page says so far."""
    return matches([*trimmed(expected), ELLIPSIS], actual)


def line_matches(expected: str, actual: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in expected.rstrip().split(ELLIPSIS))
    return re.fullmatch(pattern, actual.rstrip()) is not None


def trimmed(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]
