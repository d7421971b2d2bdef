"""The program against h2spec, with the exceptions that docs/http2.md gives reasons for."""

import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from harness.paths import ROOT
from harness.process import Tapegate

# A response without a body: END_HEADERS and END_STREAM.
RESPONSE = re.compile(r"HEADERS Frame \(length:\d+, flags:0x05, stream_id:\d+\)")


def exceptions(result: str) -> set[tuple[str, str]]:
    """Section and test of the rows with this result."""
    page = (ROOT / "docs" / "http2.md").read_text()
    return set(re.findall(rf"^\| `(.*?)` \| (.*?) \| {result} \|", page, re.MULTILINE))


def failures(report: Path) -> dict[tuple[str, str], str]:
    """What h2spec received in the tests that failed, by section and test."""
    cases = {
        (suite.get("package"), case.get("classname")): error.text.split("\n")[-1]
        for suite in ElementTree.parse(report).iter("testsuite")
        for case in suite.iter("testcase")
        for error in [*case.iter("error"), *case.iter("failure")]
    }
    return cases


def test_only_the_documented_tests_fail(service: Tapegate, tmp_path: Path):
    host, _, port = service.grpc.rpartition(":")
    report = tmp_path / "report.xml"
    command = ["h2spec", "--strict", "--host", host, "--port", port, "--junit-report", report]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert "146 tests" in done.stdout, done.stdout + done.stderr
    failed = failures(report)
    failed_always, can_fail = exceptions("fails"), exceptions("can fail")
    assert failed_always <= failed.keys(), "these pass now: remove them from docs/http2.md"
    others = {
        case: received
        for case, received in failed.items()
        if case not in failed_always and not ((case[0], "any") in can_fail and RESPONSE.fullmatch(received))
    }
    assert not others, done.stdout
