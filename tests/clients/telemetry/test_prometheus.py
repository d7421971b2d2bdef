"""The rules of deploy/prometheus and the queries of deploy/grafana, run by a real Prometheus after real calls."""

import json
import re
import shutil
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import yaml
from tapegate.v1 import tape_service_pb2 as pb
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness import aws
from harness.paths import ROOT
from harness.ports import free_address
from harness.process import Tapegate, check_for_secrets, dev, make_token
from harness.prometheus import FOLDER, Prometheus, name_of, prometheus, promtool, rules, selectors
from harness.seeds import ACCOUNT, GATEWAY, SIZE, new_barcode, new_token

RULES = ["recording.rules.yaml", "alerts.rules.yaml"]
RECORDED = {rule["record"]: rule["expr"] for rule in rules("recording.rules.yaml")}
ALERTS = {rule["alert"]: rule for rule in rules("alerts.rules.yaml")}
DASHBOARDS = {file.stem: json.loads(file.read_text()) for file in sorted((ROOT / "deploy" / "grafana").glob("*.json"))}
CASES = yaml.safe_load((FOLDER / "alerts.test.yaml").read_text())["tests"]
PANELS = {
    f"{name}: {panel['title']}": panel
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
}
# As Grafana fills them in if everything is selected.
VARIABLES = {"$job": "(.+)", "$instance": "(.+)", "$__rate_interval": "5m"}

# Complaints of promtool's linter about names of OpenTelemetry.
ACCEPTED = {
    'process_unix_file_descriptor_count non-histogram and non-summary metrics should not have "_count" suffix',
}

# Series that neither service here has: one is held by tests/it/access/remote_keys.rs, whose issuer can be reached, the
# other by test_failures.py, whose service has a certificate.
ELSEWHERE = {
    "tapegate_auth_keys_age_seconds",
    'tapegate_expiry_seconds{tapegate_kind="server_certificate"}',
}

# The issuer's address is unreachable: its keys cannot be fetched, and callers use static tokens. So is that of the
# store of shared limits: the service counts for itself.
CLOSED = """\
[auth.tokens]
file = "{folder}/tokens.toml"

[[auth.jwt]]
issuer = "https://issuer.example"
audience = "tapegate"
jwks = "https://{nobody}/keys"

[policy]
path = "{folder}/policies"
trial = "{folder}/trial"

[limits]
tapes_per_hour = 1

[limits.shared]
url = "redis://{nobody}"
on_failure = "count_alone"

[audit]
file = "{folder}/audit.jsonl"

[otlp]
endpoint = "http://{nobody}"
"""

# A first call that is throttled twice uses up the budget, and no pace slows the test down.
HARD_TIMES = [
    "--retry-base=20ms",
    "--retry-throttled-base=20ms",
    "--retry-budget-share=100",
    "--retry-budget-reserve=0",
    "--pace-floor=100",
    "--pace-forget=10m",
]


def code_of(method, request, token: str | None = None, timeout: float = 30.0) -> str:
    """The code of a call after all its messages are read."""
    metadata = [("authorization", f"Bearer {token}")] if token else []
    try:
        answer = method(request, metadata=metadata, timeout=timeout)
        if isinstance(answer, Iterator):
            list(answer)
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


def one_tape(**pool) -> pb.CreateTapeWithBarcodeRequest:
    return pb.CreateTapeWithBarcodeRequest(
        gateway_arn=GATEWAY, tape_size_in_bytes=SIZE, tape_barcode=new_barcode(), **pool
    )


def tapes() -> pb.CreateTapesRequest:
    return pb.CreateTapesRequest(
        gateway_arn=GATEWAY,
        tape_size_in_bytes=SIZE,
        client_token=new_token(),
        num_tapes_to_create=1,
        tape_barcode_prefix="PROM",
    )


@dataclass
class Closed:
    """A service with tokens and policies."""

    running: Tapegate
    stub: TapeServiceStub
    folder: Path
    operator: str
    agent: str

    def call(self):
        stub, lists = self.stub, pb.ListTapesRequest()
        assert code_of(stub.ListTapes, lists, self.operator) == "OK"
        assert code_of(stub.ListTapes, lists, self.agent) == "OK"
        assert code_of(stub.CreateTapeWithBarcode, one_tape(pool_id=1), self.agent) == "PERMISSION_DENIED"
        assert code_of(stub.ListTapes, lists) == "UNAUTHENTICATED"
        assert code_of(stub.ListTapes, lists, "tapegate_of-nobody") == "UNAUTHENTICATED"
        code_of(stub.CreateTapes, tapes(), self.operator)
        assert code_of(stub.CreateTapes, tapes(), self.operator) == "RESOURCE_EXHAUSTED"

    def change_files(self):
        for folder, words, logged in [
            ("policies", "// changed", "loaded changed files"),
            ("trial", "broken", "changed files are invalid"),
        ]:
            file = self.folder / folder / "roles.cedar"
            file.write_text(f"{file.read_text()}\n{words}\n")
            assert self.running.stderr.wait_for(lambda line: logged in line)  # noqa: B023


@dataclass
class Open:
    """A service with anonymous access, whose AWS answers some calls with errors, late or not at all."""

    running: Tapegate
    stub: TapeServiceStub

    def call(self):
        stub, control = self.stub, aws.Control(self.running.emulator)
        control.add_fault(kind="error", code="ThrottlingException", calls=2)
        code_of(stub.ListTapes, pb.ListTapesRequest())
        control.add_fault(kind="reset", when="after", operations=["CreateTapeWithBarcode"], calls=1)
        assert code_of(stub.CreateTapeWithBarcode, one_tape()) == "OK"
        control.add_fault(kind="error", code="AccessDeniedException", operations=["DescribeTapes"], calls=1)
        describe = pb.DescribeTapesRequest(gateway_arn=GATEWAY)
        assert code_of(stub.DescribeTapes, describe) == "INTERNAL"
        assert code_of(stub.DescribeTapes, describe) == "OK"
        assert code_of(stub.DescribeTapeArchives, pb.DescribeTapeArchivesRequest()) == "OK"
        control.add_fault(kind="latency", min_ms=500)
        with ThreadPoolExecutor() as readers:
            reads = [readers.submit(code_of, stub.ListTapes, pb.ListTapesRequest(max_items=1)) for _ in range(4)]
            assert [read.result() for read in reads] == ["OK"] * 4
        assert code_of(stub.CreateTapes, tapes(), timeout=0.2) == "DEADLINE_EXCEEDED"
        control.clear_faults()


@dataclass
class Seen:
    prometheus: Prometheus
    services: list[Tapegate]


@pytest.fixture(scope="module")
def seen(tmp_path_factory) -> Iterator[Seen]:
    """A Prometheus that has scraped both services between and after calls."""
    folder = tmp_path_factory.mktemp("prometheus")
    operator, agent = (
        make_token(name, group, file=folder / "tokens.toml")
        for name, group in [("operator", "tape-operators"), ("agent", "site-berlin")]
    )
    for policies in ("policies", "trial"):
        shutil.copytree(ROOT / "deploy" / "policies", folder / policies)
    (folder / "trial" / "site-berlin.cedar").unlink()
    config = folder / "tapegate.toml"
    config.write_text(CLOSED.format(folder=folder, nobody=free_address()))
    with ExitStack() as stack:
        services = [
            stack.enter_context(dev(f"--config={config}", f"--account-id={ACCOUNT}", "--reload-interval=50ms")),
            stack.enter_context(dev(*HARD_TIMES)),
        ]
        stubs = [TapeServiceStub(stack.enter_context(grpc.insecure_channel(service.grpc))) for service in services]
        closed = Closed(services[0], stubs[0], folder, operator, agent)
        hard = Open(services[1], stubs[1])
        closed.call()
        hard.call()
        watching = stack.enter_context(prometheus(folder, *services))
        watching.await_scrapes()
        closed.call()
        hard.call()
        closed.change_files()
        watching.await_scrapes()
        watching.await_evaluations()
        yield Seen(watching, services)


def filled_in(expression: str) -> str:
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    return expression


def test_scrapes_succeed_without_complaints(seen: Seen):
    targets = seen.prometheus.targets()
    assert [(target["health"], target["lastError"]) for target in targets] == [("up", "")] * 2
    assert seen.prometheus.complaints() == []


def test_promtool_has_only_accepted_complaints(seen: Seen):
    for service in seen.services:
        with urllib.request.urlopen(f"{service.admin}/metrics") as page:
            text = page.read().decode()
        check_for_secrets(text)
        assert set(promtool("check", "metrics", stdin=text).stderr.splitlines()) == ACCEPTED


def test_the_files_are_valid():
    checked = promtool("check", "config", FOLDER / "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", *(FOLDER / file for file in RULES))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.test.yaml")), ids=lambda file: file.name)
def test_the_rules_pass_their_unit_tests(file: Path):
    tested = promtool("test", "rules", file)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("panel", PANELS)
def test_each_panel_has_data(seen: Seen, panel: str):
    for target in PANELS[panel]["targets"]:
        assert seen.prometheus.values(filled_in(target["expr"])), target["expr"]


@pytest.mark.parametrize("panel", PANELS)
def test_each_panel_has_a_description_a_unit_and_legends(panel: str):
    shown = PANELS[panel]
    assert shown["description"].endswith(".")
    assert shown["fieldConfig"]["defaults"]["unit"]
    legends = [target["legendFormat"] for target in shown["targets"]]
    assert all(legends) or shown["type"] == "stat"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_each_variable_has_values(seen: Seen, name: str):
    dashboard = DASHBOARDS[name]
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    source, *variables = dashboard["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    assert [variable["name"] for variable in variables] == ["job", "instance"]
    for variable in variables:
        asked = re.fullmatch(r"label_values\((.+), (\w+)\)", filled_in(variable["query"]["query"]))
        series = seen.prometheus.ask("series", **{"match[]": asked[1]})
        assert all(asked[2] in labels for labels in series)
        assert series


@pytest.mark.parametrize("record", RECORDED)
def test_each_recording_has_data(seen: Seen, record: str):
    assert seen.prometheus.values(RECORDED[record])
    assert seen.prometheus.values(record)


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_selects_existing_series(seen: Seen, alert: str):
    for selector in selectors(ALERTS[alert]["expr"]):
        assert selector in ELSEWHERE or seen.prometheus.has(selector), selector


def test_each_rule_is_evaluated_without_errors(seen: Seen):
    evaluated = seen.prometheus.rules()
    assert {rule["name"] for rule in evaluated} == {*RECORDED, *ALERTS}
    assert {(rule["health"], rule.get("lastError")) for rule in evaluated} == {("ok", None)}
    active = seen.prometheus.ask("alerts")["alerts"]
    assert "TapegateReloadRefused" in {alert["labels"]["alertname"] for alert in active}
    assert "error expanding" not in json.dumps(active)


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_a_runbook(alert: str):
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert {*rule["annotations"]} == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{alert.lower()}"
    runbook = (ROOT / "docs" / "operations.md").read_text()
    assert re.search(rf"^### {alert}$", runbook, re.MULTILINE)


def test_series_of_cases_are_strings_in_yaml():
    for file in FOLDER.glob("*.test.yaml"):
        series = [one for case in yaml.safe_load(file.read_text())["tests"] for one in case["input_series"]]
        # Unquoted, 0x120 is a number in YAML, and promtool would see one sample.
        assert all(isinstance(one["values"], str) for one in series), file


def raw(expression: str) -> set[str]:
    """The metrics of an expression, with recorded ones resolved."""
    names = {name_of(selector) for selector in selectors(expression)}
    recorded = names & RECORDED.keys()
    return (names - recorded).union(*(raw(RECORDED[record]) for record in recorded))


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_a_case_that_fires_and_one_that_does_not(alert: str):
    needed = raw(ALERTS[alert]["expr"])
    fires = set()
    for case in CASES:
        if needed <= {name_of(series["series"]) for series in case["input_series"]}:
            for look in case["promql_expr_test"]:
                assert look["expr"] == 'count by (alertname, severity) (ALERTS{alertstate="firing"})'
                fires.add(any(f'alertname="{alert}"' in sample["labels"] for sample in look["exp_samples"]))
    assert fires == {True, False}
