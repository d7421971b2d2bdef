"""A real Prometheus with the rules of deploy/prometheus, and what it knows."""

import json
import math
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from harness.eventually import wait_until
from harness.paths import ROOT
from harness.ports import free_address
from harness.process import Tapegate

FOLDER = ROOT / "deploy" / "prometheus"
STARTS_WITHIN = 30.0
# For what comes with the next scrape or evaluation.

# A scrape of a development build takes longer than half a second on a machine that is busy for a moment.
CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: tapegate
    static_configs: {targets}
"""


def promtool(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = ["promtool", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120)


def rules(file: str) -> list[dict]:
    """The rules of a file in deploy/prometheus."""
    return [rule for group in yaml.safe_load((FOLDER / file).read_text())["groups"] for rule in group["rules"]]


def selectors(expression: str) -> set[str]:
    """The series that an expression asks for: each metric with its matchers."""
    strings: list[str] = []

    def put_away(string: re.Match) -> str:
        strings.append(string[0])
        return f'"{len(strings) - 1}"'

    rest = re.sub(r'"(?:[^"\\]|\\.)*"', put_away, expression)
    rest = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", rest)
    rest = re.sub(r"\[[^]]*\]|\boffset\s+\w+|\b(and|or|unless|bool)\b", " ", rest)
    rest = re.sub(r"{[^}]*}", lambda matchers: re.sub(r"\s", "", matchers[0]), rest)
    # A name that no parenthesis follows: it is of no function.
    found = re.findall(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?![\w:]|\s*\()(?:{[^}]*})?", rest)
    return {re.sub(r'"(\d+)"', lambda index: strings[int(index[1])], selector) for selector in found}


def name_of(selector: str) -> str:
    return selector.partition("{")[0]


@dataclass
class Prometheus:
    address: str
    log: Path

    def ask(self, path: str, **parameters: str) -> Any:
        """The data that `/api/v1/PATH` answers."""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            with refused:
                raise AssertionError(f"{url}: {refused.read().decode()}") from None

    def values(self, expression: str) -> list[float]:
        """What an expression gives now, without what is not a number."""
        found = [float(sample["value"][1]) for sample in self.ask("query", query=expression)["result"]]
        return [value for value in found if not math.isnan(value)]

    def has(self, selector: str) -> bool:
        return bool(self.ask("series", **{"match[]": selector}))

    def targets(self) -> list[dict]:
        return self.ask("targets")["activeTargets"]

    def rules(self) -> list[dict]:
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def await_scrapes(self):
        """Until each target was scraped from begin to end since now."""
        self._await_since(lambda: [target["lastScrape"] for target in self.targets()])

    def await_evaluations(self):
        """Until each rule has seen what was scraped until now, and the results of the others of that."""
        for _ in range(2):
            self._await_since(lambda: [rule["lastEvaluation"] for rule in self.rules()])

    def _await_since(self, times: Callable[[], list[str]]):
        # Twice: what began before now may have ended after it. At the start there is nothing yet.
        for _ in range(2):
            now = time.time()
            wait_until(lambda: min(map(seconds, times()), default=0.0) > now)  # noqa: B023

    def complaints(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if re.search(r"level=(warn|error)", line, re.I)]


def seconds(moment: str) -> float:
    """Of a time as Go writes it, which may have more digits than Python reads."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", moment)).timestamp()


@contextmanager
def prometheus(folder: Path, *services: Tapegate) -> Iterator[Prometheus]:
    """One that scrapes these services as the job `tapegate`."""
    targets = [{"targets": [service.addresses["admin"] for service in services]}]
    with _prometheus(folder, targets, FOLDER / "*.rules.yaml") as running:
        yield running


@contextmanager
def prometheus_of(folder: Path, clusters: dict[str, str], rules: Path) -> Iterator[Prometheus]:
    """One that scrapes an address in each of these clusters, with rules of its own."""
    targets = [{"targets": [address], "labels": {"cluster": name}} for name, address in clusters.items()]
    with _prometheus(folder, targets, rules) as running:
        yield running


@contextmanager
def _prometheus(folder: Path, targets: list[dict], rules: Path) -> Iterator[Prometheus]:
    running = Prometheus(free_address(), folder / "prometheus.log")
    config = folder / "prometheus.yml"
    config.write_text(CONFIG.format(rules=rules, targets=json.dumps(targets)))
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={running.address}",
    ]
    with running.log.open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)

    def is_ready() -> bool:
        assert process.poll() is None, running.log.read_text()
        try:
            with urllib.request.urlopen(f"http://{running.address}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    try:
        wait_until(is_ready, STARTS_WITHIN)
        yield running
    finally:
        process.terminate()
        process.wait(STARTS_WITHIN)
