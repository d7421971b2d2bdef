"""The example page in Chromium: a browser calls the service with gRPC-Web."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from examples.conftest import Site, build, copy
from examples.test_agents import tapes
from harness.balancers import BALANCERS
from harness.process import Tapegate, dev
from harness.seeds import new_barcode

SEEDED = 1_234


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """A test has no use for the log of requests."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """The origin of a web server for this folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest.fixture(scope="module")
def page_files() -> Path:
    built = copy("browser")
    build("npm", "ci", cwd=built)
    build("npm", "run", "build", cwd=built)
    return built / "dist"


@pytest.fixture(scope="module")
def origin(page_files: Path) -> Iterator[str]:
    with serve(page_files) as origin:
        yield origin


@pytest.fixture(scope="module")
def service(site: Site, origin: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tapegate]:
    config = tmp_path_factory.mktemp("web") / "tapegate.toml"
    config.write_text(f'[grpc_web]\nallowed_origins = ["{origin}"]\n')
    with dev(f"--config={config}", f"--emulator-seed-tapes={SEEDED}", *site.flags()) as running:
        yield running


@pytest.fixture(params=["direct", *BALANCERS])
def address(request: pytest.FixtureRequest, service: Tapegate, site: Site, tmp_path: Path) -> Iterator[str]:
    """Where the page finds the service: itself, or a load balancer as in deploy/."""
    if request.param == "direct":
        yield service.grpc
        return
    with BALANCERS[request.param](tmp_path, site.own, service.grpc) as address:
        yield address


@contextmanager
def opened(browser: Browser, origin: str, address: str) -> Iterator[tuple[Page, list[str]]]:
    """The page of this origin, and the errors of its console. The certificate is its own authority."""
    page = browser.new_page(ignore_https_errors=True)
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{origin}/index.html")
    page.get_by_label("Server").fill(f"https://{address}")
    yield page, errors
    page.close()


def test_a_page_lists_and_creates_tapes_as_its_user(
    browser: Browser, origin: str, service: Tapegate, address: str, site: Site
):
    barcode = new_barcode()
    before = len(tapes(service.emulator))
    with opened(browser, origin, address) as (page, errors):
        status = page.get_by_role("status")
        page.get_by_label("Token").fill(site.token_file.read_text().strip())
        page.get_by_role("button", name="List tapes").click()
        expect(status).to_have_text(f"{before} tapes")
        page.get_by_label("Barcode").fill(barcode)
        page.get_by_role("button", name="Create a tape").click()
        expect(status).to_have_text(re.compile(f"^created arn:aws:storagegateway:.*{barcode}$"))
        page.get_by_role("button", name="List tapes").click()
        expect(status).to_have_text(f"{before + 1} tapes")
        expect(page.locator("tbody tr").filter(has_text=barcode)).to_contain_text("GLACIER")
        assert not errors
    assert barcode in {tape["TapeBarcode"] for tape in tapes(service.emulator)}


def test_a_page_shows_each_error_with_its_details(browser: Browser, origin: str, service: Tapegate, site: Site):
    with opened(browser, origin, service.grpc) as (page, errors):
        status = page.get_by_role("status")
        page.get_by_role("button", name="List tapes").click()
        expect(status).to_contain_text(re.compile("^CREDENTIALS_MISSING: "))
        page.get_by_label("Token").fill(site.token_file.read_text().strip())
        page.get_by_label("Barcode").fill("mine 1")
        page.get_by_role("button", name="Create a tape").click()
        expect(status).to_contain_text(re.compile("^INVALID_REQUEST: "))
        expect(status).to_contain_text("tape_barcode: ")
        expect(status).to_contain_text("retry: after_change")
        assert not errors


def test_a_page_of_another_origin_cannot_call(
    browser: Browser, origin: str, page_files: Path, service: Tapegate, site: Site
):
    with serve(page_files) as other, opened(browser, other, service.grpc) as (page, errors):
        page.get_by_label("Token").fill(site.token_file.read_text().strip())
        page.get_by_role("button", name="List tapes").click()
        expect(page.get_by_role("status")).to_contain_text("grpc_web.allowed_origins")
        assert any("CORS" in error for error in errors)
        # What a page could send without asking first.
        sent = page.evaluate(
            """async (url) => {
                const options = { method: "POST", mode: "no-cors", credentials: "include", body: "x" };
                return (await fetch(url, options)).type;
            }""",
            f"https://{service.grpc}/tapegate.v1.TapeService/ListTapes",
        )
        assert sent == "opaque"
    assert service.stderr.wait_for(lambda line: "HTTP 403" in line and f'the origin \\"{other}' in line)
