"""A real OpenTelemetry collector, and what it took."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.paths import TOOLS
from harness.ports import STARTS_WITHIN, free_address, wait_for
from harness.process import check_for_secrets

CONFIG = """\
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "{grpc}"}}
      http: {{endpoint: "{http}"}}
exporters:
  file: {{path: "{file}", flush_interval: 100ms}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [file]}}
    metrics: {{receivers: [otlp], exporters: [file]}}
    logs: {{receivers: [otlp], exporters: [file]}}
"""


def values(attributes: list[dict]) -> dict:
    """Attributes by name, each with its one value."""
    return {one["key"]: next(iter(one["value"].values()), None) for one in attributes}


@dataclass
class Span:
    name: str
    kind: int
    trace: str
    id: str
    parent: str
    attributes: dict
    status: dict
    # The trace and the span that each leads to.
    links: list[tuple[str, str]]
    begins: int
    ends: int
    children: list["Span"] = field(default_factory=list)


@dataclass
class Collector:
    grpc: str
    http: str
    file: Path

    def text(self) -> str:
        return self.file.read_text() if self.file.exists() else ""

    def _all(self, kind: str) -> Iterator[dict]:
        for line in self.text().splitlines():
            yield from json.loads(line).get(kind, [])

    def resources(self) -> list[dict]:
        kinds = ("resourceSpans", "resourceMetrics", "resourceLogs")
        return [values(one["resource"]["attributes"]) for kind in kinds for one in self._all(kind)]

    def spans(self) -> list[Span]:
        """All spans, with their children."""
        spans = [
            Span(
                name=span["name"],
                kind=span["kind"],
                trace=span["traceId"],
                id=span["spanId"],
                parent=span.get("parentSpanId", ""),
                attributes=values(span.get("attributes", [])),
                status=span.get("status", {}),
                links=[(link["traceId"], link["spanId"]) for link in span.get("links", [])],
                begins=int(span["startTimeUnixNano"]),
                ends=int(span["endTimeUnixNano"]),
            )
            for resource in self._all("resourceSpans")
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]
        by_id = {span.id: span for span in spans}
        for span in sorted(spans, key=lambda span: span.begins):
            if span.parent in by_id:
                by_id[span.parent].children.append(span)
        return spans

    def metrics(self) -> set[str]:
        return {
            metric["name"]
            for resource in self._all("resourceMetrics")
            for scope in resource["scopeMetrics"]
            for metric in scope["metrics"]
        }

    def logs(self) -> list[dict]:
        return [
            record
            for resource in self._all("resourceLogs")
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]


@contextmanager
def collector(folder: Path) -> Iterator[Collector]:
    running = Collector(free_address(), free_address(), folder / "taken.json")
    config = folder / "collector.yaml"
    config.write_text(CONFIG.format(grpc=running.grpc, http=running.http, file=running.file))
    with (folder / "collector.log").open("w") as log:
        process = subprocess.Popen(
            [TOOLS / "otelcol", "--config", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        wait_for(running.grpc, process, folder / "collector.log")
        yield running
    finally:
        process.terminate()
        process.wait(STARTS_WITHIN)
    check_for_secrets(running.text())
