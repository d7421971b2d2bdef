"""The admin page as a browser shows it, under real traffic."""

import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import grpc
import pytest
from playwright.sync_api import Browser, Page, expect
from tapegate.v1 import tape_pb2
from tapegate.v1 import tape_service_pb2 as pb
from tapegate.v1.tape_service_pb2_grpc import TapeServiceStub

from harness.aws import Control
from harness.paths import ROOT
from harness.process import Tapegate, check_for_secrets, dev, make_token
from harness.seeds import ACCOUNT, GATEWAY, SIZE, new_barcode

SCREENSHOT = ROOT / "docs" / "admin-page.png"
# UPDATE_DOCS=1 takes a new one after minutes of traffic, so that its charts have lines.
TAKES_SCREENSHOT = "UPDATE_DOCS" in os.environ
TRAFFIC_SECONDS = 200.0 if TAKES_SCREENSHOT else 12.0

POLICIES = """\
permit (principal in TapeGate::Group::"agents", action, resource)
unless { context has pool && context.pool == "DEEP_ARCHIVE" };
"""


@dataclass
class Site:
    running: Tapegate
    token: str
    stub: TapeServiceStub
    metadata: list[tuple[str, str]]
    codes: set[str] = field(default_factory=set)

    def list(self, **more) -> list[pb.ListTapesResponse]:
        return list(self.stub.ListTapes(pb.ListTapesRequest(**more), metadata=self.metadata, timeout=60))

    def create(self, pool: int):
        request = pb.CreateTapeWithBarcodeRequest(
            gateway_arn=GATEWAY, tape_size_in_bytes=SIZE, tape_barcode=new_barcode(), pool_id=pool
        )
        self.stub.CreateTapeWithBarcode(request, metadata=self.metadata, timeout=60)

    def traffic(self, ends: float):
        """Lists and creates, some of which fail, until then."""
        number = 0
        while time.monotonic() < ends:
            number += 1
            try:
                match number % 30:
                    case 0:
                        self.create(tape_pb2.POOL_ID_DEEP_ARCHIVE)
                    case 3 | 13 | 23:
                        self.create(tape_pb2.POOL_ID_GLACIER)
                    case _:
                        self.list(limit=100)
            except grpc.RpcError as refused:
                self.codes.add(refused.code().name)
            time.sleep(0.02 + 0.05 * (number // 60 % 3))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    """A service under traffic, with calls in progress that go on."""
    folder = tmp_path_factory.mktemp("site")
    token = make_token("agent-7", "agents", file=folder / "tokens.toml")
    (folder / "policies").mkdir()
    (folder / "policies" / "all.cedar").write_text(POLICIES)
    settings = [f"--auth-tokens-file={folder / 'tokens.toml'}", f"--policy-path={folder / 'policies'}"]
    # So that the calls that hang do so for as long as they are looked at.
    settings += ["--upstream-attempt-timeout=5m", "--upstream-operation-timeout=10m"]
    with dev(*settings, f"--account-id={ACCOUNT}", "--retry-attempts=2") as running:
        control = Control(running.emulator)
        # One kind of call that hangs, to be looked at.
        control.add_fault(kind="hang", operations=["DescribeTapeArchives"])
        control.add_fault(kind="latency", min_ms=10, max_ms=120, share=0.3)
        control.add_fault(kind="error", code="InternalServerError", share=0.15)
        control.add_fault(kind="throttle", operations=["ListTapes"], rate=12, burst=60)
        with grpc.insecure_channel(running.grpc) as channel:
            site = Site(running, token, TapeServiceStub(channel), [("authorization", f"Bearer {token}")])
            hanging = [
                site.stub.DescribeTapeArchives(
                    pb.DescribeTapeArchivesRequest(),
                    metadata=[*site.metadata, ("x-request-id", f"looked-at-{number}")],
                    timeout=TRAFFIC_SECONDS + 120,
                )
                for number in range(2)
            ]
            ends = time.monotonic() + TRAFFIC_SECONDS
            callers = [threading.Thread(target=site.traffic, args=[ends]) for _ in range(4)]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()
            assert "PERMISSION_DENIED" in site.codes
            yield site
            for call in hanging:
                call.cancel()


@dataclass
class Looked:
    page: Page
    complaints: list[str]
    asked: list[str]


@pytest.fixture(params=["light", "dark", "telephone"])
def looked(request, browser: Browser, site: Site) -> Iterator[Looked]:
    width, scheme = (380, "light") if request.param == "telephone" else (1200, request.param)
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    looked = Looked(page, [], [])
    page.on("console", lambda message: looked.complaints.append(message.text))
    page.on("pageerror", lambda error: looked.complaints.append(str(error)))
    page.on("requestfailed", lambda failed: looked.complaints.append(failed.url))
    page.on("request", lambda asked: looked.asked.append(asked.url))
    page.goto(site.running.admin)
    yield looked
    page.close()


def channel_of(colour: str) -> int:
    return int(re.search(r"\d+", colour)[0])


def test_a_browser_shows_all_of_it_and_complains_of_nothing(looked: Looked, site: Site):
    page = looked.page
    expect(page.locator("#ready")).to_have_text("ready")
    expect(page.locator("#aws tbody tr")).to_contain_text(["us-east-1"])
    expect(page.locator("#aws tbody tr")).to_contain_text(["throttled"])
    rows = page.locator("#in-progress tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first.locator("td")).to_have_text(
        ["DescribeTapeArchives", "agent-7", re.compile(" s$"), "1", re.compile("min|s$"), re.compile("looked-at-")]
    )
    failed = page.locator("#failed tbody", has_text="PERMISSION_DENIED").first
    expect(failed).to_contain_text("agent-7")
    expect(failed).to_contain_text("CreateTapeWithBarcode")
    # Calls, errors, durations and the pace of reads, each with a line.
    for number in range(4):
        assert page.locator("figure").nth(number).locator("polyline").count() >= 1, number
    # Its own address and no other.
    assert all(asked.startswith((site.running.admin, "data:")) for asked in looked.asked), looked.asked
    assert looked.complaints == []
    check_for_secrets(page.content())


def test_it_fits_the_window_and_the_scheme(looked: Looked, request):
    page = looked.page
    # What is too wide scrolls by itself.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    colours = page.evaluate("(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))")
    text, ground = map(channel_of, colours)
    is_dark = request.node.callspec.params["looked"] == "dark"
    assert (text > ground + 100) == is_dark and abs(text - ground) > 100


@pytest.mark.parametrize("looked", ["light"], indirect=True)
def test_it_shows_by_itself_what_happens_later(looked: Looked, site: Site):
    page = looked.page
    expect(page.get_by_text("unknown-to-the-page")).to_have_count(0)
    call = site.stub.DescribeTapeArchives(
        pb.DescribeTapeArchivesRequest(), metadata=[*site.metadata, ("x-request-id", "unknown-to-the-page")], timeout=60
    )
    expect(page.get_by_text("unknown-to-the-page")).to_have_count(1, timeout=15_000)
    call.cancel()
    expect(page.get_by_text("unknown-to-the-page")).to_have_count(0, timeout=15_000)
    assert looked.complaints == []


@pytest.mark.parametrize("looked", ["light"], indirect=True)
def test_its_links_lead_somewhere(looked: Looked, site: Site):
    links = looked.page.locator("nav a").evaluate_all("links => links.map(link => link.href)")
    assert len(links) == 5
    for link in links:
        assert looked.page.request.get(link).status == 200, link


def take_screenshot(browser: Browser, site: Site):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(site.running.admin)
    # As many failed calls as say what the table is.
    page.evaluate("for (const call of [...document.querySelectorAll('#failed tbody')].slice(6)) call.remove()")
    page.screenshot(path=SCREENSHOT, full_page=True)
    page.close()


def test_the_documents_have_a_screenshot(browser: Browser, site: Site):
    if TAKES_SCREENSHOT:
        take_screenshot(browser, site)
    assert SCREENSHOT.read_bytes().startswith(b"\x89PNG")
    assert SCREENSHOT.stat().st_size < 300_000
