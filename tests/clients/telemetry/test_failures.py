"""Every failure of `worlds.py` at once, each in a service of its own, before a real Prometheus with the alert rules:
which alerts fire, and after how long. docs/failures.md is made here.

Prometheus runs sixty times as fast as in production: each duration of a rule is divided by 60, so a second of the test
is a minute. The week of TapegateTrafficStopped is a minute too. `UPDATE_DOCS=1` writes the page.
"""

import itertools
import json
import os
import re
import threading
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import yaml

from harness.paths import ROOT
from harness.prometheus import FOLDER, Prometheus, prometheus_of
from harness.worlds import WORLDS, World

PAGE = ROOT / "docs" / "failures.md"
SPEED = 60
NONE = "\N{EN DASH}"
WEEK = 60
LASTS = 120.0
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
SEVERITIES = {
    rule["alert"]: rule["labels"]["severity"]
    for group in yaml.safe_load((FOLDER / "alerts.rules.yaml").read_text())["groups"]
    for rule in group["rules"]
}

# The alert that names the failure, and how long after the failure it may fire, in minutes.
WANTED = {
    "The upstream answers 404 to everything": ("TapegateAwsGivesNoAnswer", 30),
    "A proxy answers 403": ("TapegateAwsGivesNoAnswer", 30),
    "A proxy answers 200 with HTML": ("TapegateErrorBudgetBurnsFast", 30),
    "A load balancer answers 503": ("TapegateAwsGivesNoAnswer", 30),
    "The port of AWS is closed": ("TapegateAwsGivesNoAnswer", 30),
    "AWS hangs": ("TapegateAwsGivesNoAnswer", 30),
    "AWS answers after 2.7 s": ("TapegateLatencyBudgetBurnsFast", 60),
    "AWS throttles every request": ("TapegateAwsThrottles", 100),
    "AWS fails inside": ("TapegateErrorBudgetBurnsFast", 30),
    "AWS answers with broken JSON": ("TapegateErrorBudgetBurnsFast", 30),
    "AWS refuses the credentials": ("TapegateAwsCredentialsRefused", 20),
    "AWS refuses the credentials in one of two regions": ("TapegateAwsCredentialsRefused", 20),
    "There are no AWS credentials": ("TapegateNotReady", 20),
    "The AWS credentials are of another account": ("TapegateNotReady", 20),
    "The role of the account is refused": ("TapegateAwsCredentialsRefused", 20),
    "The AWS role lacks a right": ("TapegateErrorBudgetBurnsFast", 30),
    "The clock is wrong": ("TapegateAwsCredentialsRefused", 20),
    "One gateway is offline": (None, 0),
    "The keys of the issuer are away": ("TapegateCallersLockedOut", 40),
    "The issuer signs with a key that it does not publish": ("TapegateCallersLockedOut", 40),
    "Callers have unknown tokens": ("TapegateCallersLockedOut", 40),
    "The server certificate expires in two days": ("TapegateServerCertificateExpires", 30),
    "The disk of the audit file is full": ("TapegateAuditRecordsLost", 20),
    "A changed policy is invalid": ("TapegateReloadRefused", 20),
    "The callers have stopped": ("TapegateTrafficStopped", 100),
    "The service is killed": ("TapegateDown", 20),
}
# What else may fire at any of them: it tells of the same failure in another way.
ALSO = {
    "TapegateErrorBudgetBurnsFast",
    "TapegateErrorBudgetBurnsSlowly",
    "TapegateRetryBudgetUsedUp",
    "TapegateCreatesUnclear",
    "TapegateAwsCredentials",
    "TapegateAwsGivesNoAnswer",
}
MAY_ALSO = {
    "AWS answers after 2.7 s": {"TapegateLatencyBudgetBurnsSlowly"},
    "AWS hangs": {"TapegateLatencyBudgetBurnsFast", "TapegateLatencyBudgetBurnsSlowly", "TapegateCreatesUnheard"},
    "AWS throttles every request": {"TapegateLatencyBudgetBurnsFast", "TapegateLatencyBudgetBurnsSlowly"},
    "AWS refuses the credentials": {"TapegateNotReady", "TapegateReplicaNotReady"},
    "The clock is wrong": {"TapegateNotReady", "TapegateReplicaNotReady"},
    "The role of the account is refused": {"TapegateNotReady", "TapegateReplicaNotReady"},
    "There are no AWS credentials": {"TapegateReplicaNotReady", "TapegateAwsCredentialsRefused"},
    "The AWS credentials are of another account": {"TapegateReplicaNotReady"},
    # The replica waits for the keys for a minute at its start, which is not scaled.
    "The keys of the issuer are away": {
        "TapegateNotReady",
        "TapegateReplicaNotReady",
        "TapegateCallersRefused",
        "TapegateKeysNotFetched",
    },
    "The issuer signs with a key that it does not publish": {"TapegateCallersRefused"},
    "Callers have unknown tokens": {"TapegateCallersRefused"},
    "The server certificate expires in two days": {"TapegateExpires"},
    "The service is killed": {"TapegateReplicaDown", "TapegateTrafficStopped"},
    # A create that a gateway refuses as not connected may have been made.
    "One gateway is offline": {"TapegateCreatesUnclear"},
}


def scaled(text: str) -> str:
    """A rule file whose durations are divided by the speed."""

    def of(number: str, unit: str) -> str:
        if unit == "w":
            return f"{WEEK}s"
        return f"{max(1, round(int(number) * UNITS[unit] / SPEED))}s"

    text = re.sub(r"\[(\d+)([smhdw])\]", lambda found: f"[{of(*found.groups())}]", text)
    text = re.sub(r"(offset |for: )(\d+)([smhdw])\b", lambda found: found[1] + of(found[2], found[3]), text)
    # Recording rules have their windows in their names too.
    return text


@dataclass
class Row:
    failure: str
    owner: str
    ready: str
    # Alerts with the seconds until they fired.
    fired: dict[str, float]


def readyz(world: World) -> str:
    """The reasons of `/readyz`, or the conditions of AWS of a replica that is ready."""
    try:
        with urllib.request.urlopen(f"{world.service.admin}/readyz", timeout=5) as page:
            found = json.load(page)
    except urllib.error.HTTPError as not_ready:
        with not_ready:
            found = json.load(not_ready)
    except OSError:
        return NONE
    reasons = sorted({why["reason"] for why in found["reasons"]})
    conditions = sorted({aws["condition"] for aws in found["aws"]})
    shown = ", ".join(f"`{word}`" for word in reasons or conditions)
    state = "not ready" if reasons else "ready"
    return f"{state}: {shown}" if shown else state


def worst(seen: Counter) -> str:
    """The state that was seen most often, but ready only if nothing else was."""
    bad = [state for state, _ in seen.most_common() if state != "ready"]
    return sorted(bad, key=lambda state: not state.startswith("not ready"))[0] if bad else "ready"


def owner(watching: Prometheus, cluster: str) -> str:
    """The owner of most failed calls."""
    calls = f'rpc_server_call_duration_seconds_count{{cluster="{cluster}",tapegate_fault_owner!=""}}'
    found = watching.ask("query", query=f"topk(1, sum by (tapegate_fault_owner) (max_over_time({calls}[1h])))")[
        "result"
    ]
    return found[0]["metric"]["tapegate_fault_owner"] if found else NONE


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> dict[str, Row]:
    folder = tmp_path_factory.mktemp("failures")
    for name in ("recording.rules.yaml", "alerts.rules.yaml"):
        (folder / name).write_text(scaled((FOLDER / name).read_text()))
    over = threading.Event()
    with ExitStack() as stack:
        worlds = {name: make(stack, folder) for name, make in WORLDS.items()}
        targets = {name: world.service.addresses["admin"] for name, world in worlds.items()}
        watching = stack.enter_context(prometheus_of(folder, targets, folder / "*.rules.yaml"))
        began = time.monotonic()
        fired: dict[str, dict[str, float]] = {name: {} for name in worlds}
        ready: dict[str, Counter] = {name: Counter() for name in worlds}
        with ThreadPoolExecutor(len(worlds)) as callers:
            names = itertools.cycle(worlds)
            calling = [callers.submit(world.call, over) for world in worlds.values()]
            try:
                while time.monotonic() < began + LASTS:
                    time.sleep(0.5)
                    # Of a failure that comes and goes, such as refused credentials that are tried again, the page
                    # shows the bad state.
                    name = next(names)
                    ready[name][readyz(worlds[name])] += 1
                    for alert in watching.ask("alerts")["alerts"]:
                        if alert["state"] == "firing":
                            of = fired.get(alert["labels"].get("cluster"), {})
                            of.setdefault(alert["labels"]["alertname"], time.monotonic() - began)
            finally:
                over.set()
            for one in calling:
                one.result()
        yield {
            name: Row(world.failure(), owner(watching, name), worst(ready[name]), fired[name])
            for name, world in worlds.items()
        }


@pytest.mark.timeout(400)
def test_each_failure_has_its_alert_and_no_other(rows: dict[str, Row]):
    wrong = []
    for name, row in rows.items():
        alert, within = WANTED[name]
        if alert and row.fired.get(alert, 1e9) > within:
            wrong.append(f"{name}: {alert} did not fire within {within} minutes, but {row.fired}")
        pages = {fired for fired in row.fired if SEVERITIES[fired] == "page"}
        unexpected = set(row.fired) - {alert} - MAY_ALSO.get(name, set()) - (ALSO if alert else set())
        if alert in (None, "TapegateTrafficStopped"):
            unexpected |= pages
        if unexpected:
            wrong.append(f"{name}: {unexpected}")
    assert not wrong, "\n".join(wrong)


def line(name: str, row: Row) -> str:
    alert, within = WANTED[name]
    code = NONE if not row.failure else " ".join(f"`{word}`" if "_" in word else word for word in row.failure.split())
    if alert:
        link = f"[{alert}](operations.md#{alert.lower()})"
        told = f"{SEVERITIES[alert]}: {link}, within {within} min"
    else:
        told = "none: it is for the owner of the gateway"
    return f"| {name} | {code} | {row.owner} | {told} | {row.ready} |"


def test_the_page_has_what_each_failure_looks_like(rows: dict[str, Row]):
    begin, end = "| failure | ", "\n\n"
    table = "\n".join(
        [
            "| failure | callers get | fault owner | alert | `/readyz` |",
            "|---|---|---|---|---|",
            *(line(name, row) for name, row in rows.items()),
        ]
    )
    text = PAGE.read_text()
    start = text.index(begin)
    stop = text.index(end, start)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(text[:start] + table + text[stop:])
    else:
        assert text[start:stop] == table
