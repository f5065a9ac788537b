"""The whole product in headless Chromium, at the size of a phone and of a desktop."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright

from tests.conftest import recorded_data
from tests.stack import Stack

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Without these, Chromium looks up its maker's hosts at every start.
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1440, "height": 900}}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("stack"))
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium on this machine"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    feed = "recorded" if (recorded_data() / "MANIFEST.tsv").exists() else "simulated"
    running = Stack(tmp_path_factory.mktemp("browser") / "clusterx", FEED=feed)
    running.start()
    running.wait(lambda: running.query("select 1 from trading_fill limit 1"), "the demo's first fill", seconds=120)
    yield running
    running.stop()


# No wider than a module: Playwright keeps an event loop running, and asynchronous tests of the same process need their own.
@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    launched = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
    yield launched
    launched.close()


class Visitor:
    """A page that remembers everything that went wrong on it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.wrong: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("response", lambda answer: self.wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.wrong.append(f"{message.type}: {message.text}")

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def sign_in(self) -> None:
        self.open("/accounts/login/")
        self.page.fill("input[name=login]", "demo@clusterx.example")
        self.page.fill("input[name=password]", "demo-clusterx")
        self.page.press("input[name=password]", "Enter")
        self.page.wait_for_url("**/trade/**")


@pytest.fixture(params=list(SIZES))
def size(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def visitor(stack: Stack, browser: Browser, size: str, tmp_path: Path) -> Iterator[Visitor]:
    context = browser.new_context(viewport=SIZES[size], color_scheme="dark")  # type: ignore[arg-type]
    yield Visitor(context.new_page(), stack.url)
    context.close()
