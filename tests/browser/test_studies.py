"""Studies as a person uses them: ask, watch, read the map by keyboard and finger, backtest what was found."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.test_lab import FIRST_RUN, ROOM, instrument, sideways


@pytest.fixture
def reader(visitor: Visitor) -> Visitor:
    visitor.sign_in()
    return visitor


def asked(visitor: Visitor, kind: str = "") -> Page:
    """The form for the instrument with the longest history, counted."""
    page = visitor.open(f"/strategies/studies/new/?strategy=sma-cross{kind}")
    page.select_option("select[name=instrument]", instrument(page))
    expect(page.locator("#range-count [data-said]")).to_have_text(re.compile(r"\d+ combinations"))
    return page


def started(page: Page) -> None:
    with page.expect_navigation():
        page.click("#run-form button.primary")
    expect(page.locator("#study-report")).to_be_visible(timeout=FIRST_RUN)
    expect(page.locator("#study-chart canvas").first).to_be_visible(timeout=ROOM)


def test_a_study_is_asked_for_watched_read_and_backtested(reader: Visitor, size: str):
    page = asked(reader)
    count = page.locator("#range-count [data-said]")
    before = count.inner_text()
    page.fill("[name=to-fast]", "20")
    expect(count).not_to_have_text(before, timeout=ROOM)
    page.fill("[name=to-fast]", "1")
    expect(page.locator("#range-count [data-wrong]")).to_contain_text("between", timeout=ROOM)
    page.fill("[name=to-fast]", "20")
    expect(count).to_have_text(re.compile(r"^\d+ combinations$"), timeout=ROOM)
    tried = int(count.inner_text().split()[0])
    assert sideways(page) <= 0
    started(page)
    assert page.evaluate("() => clusterx.heat.map.count.flat().reduce((a, b) => a + b, 0)") == tried
    said = page.locator("#heat-said")
    expect(said).to_contain_text("the best")
    page.locator(".heat-grid").focus()
    page.keyboard.press("Home")
    first = page.evaluate("() => clusterx.heat.map.x.texts[0]")
    expect(said).to_contain_text(f"Fast average {first}")
    page.keyboard.press("ArrowRight")
    expect(said).not_to_contain_text(f"Fast average {first},")
    cell = page.locator(".heat-cell.up, .heat-cell.down").first
    cell.click()
    told = cell.get_attribute("aria-label")
    assert told
    expect(said).to_contain_text(told)
    page.click("#heat-table summary")
    expect(page.locator("#heat-table td").first).to_be_visible()
    assert page.locator("#heat-table td:not(:text('–'))").count() == tried
    assert sideways(page) <= 0
    values = page.evaluate("() => clusterx.heat.data.best")
    with page.expect_navigation():
        page.locator(".run-head a.primary").click()
    for name in ("fast", "slow"):
        expect(page.locator(f"[name=p-{name}]")).to_have_value(str(values[name]))
    assert reader.wrong == []


def test_a_walk_forward_shows_each_window_and_is_in_the_list(reader: Visitor):
    page = asked(reader, "&kind=walk-forward")
    expect(page.locator("[name=windows]")).to_be_visible()
    page.fill("[name=windows]", "3")
    expect(page.locator("#range-count [data-said]")).to_have_text(re.compile("in 3 windows"), timeout=ROOM)
    started(page)
    expect(page.locator("#windows tbody tr")).to_have_count(3)
    assert page.evaluate("() => clusterx.study.data.starts.length") == 3
    assert sideways(page) <= 0
    reader.open("/strategies/studies/")
    expect(page.locator("table.studies tbody tr").first).to_contain_text("Walk-forward")
    assert sideways(page) <= 0
    assert reader.wrong == []


def test_a_study_is_paused_gone_on_with_and_cancelled(reader: Visitor):
    page = asked(reader)
    page.locator("label.segment", has_text="Bayesian").click()
    page.fill("[name=trials]", "5000")
    with page.expect_navigation():
        page.click("#run-form button.primary")
    progress = page.locator("#study-progress")
    expect(progress.locator("[data-trials]")).to_have_text(re.compile(r"^[1-9]\d* of "), timeout=FIRST_RUN)
    expect(page.locator("#best-so-far")).to_be_visible(timeout=ROOM)
    with page.expect_navigation():
        page.get_by_role("button", name="Pause").click()
    expect(progress.locator("[data-stage]")).to_have_text("Paused")
    with page.expect_navigation():
        page.get_by_role("button", name="Go on").click()
    expect(progress.locator("[data-stage]")).not_to_have_text("Paused")
    page.locator("[data-opens=cancel-study]").click()
    with page.expect_navigation():
        page.locator("#cancel-study button.danger").click()
    expect(page.locator("#study-state")).to_contain_text("Cancelled after")
    assert sideways(page) <= 0
    assert reader.wrong == []


def test_what_cannot_be_searched_leads_to_a_backtest(reader: Visitor):
    page = reader.open("/strategies/studies/new/?strategy=grid")
    expect(page.locator("main .notice")).to_contain_text("cannot be searched")
    expect(page.get_by_role("link", name="Backtest it instead")).to_be_visible()
    assert sideways(page) <= 0
    assert reader.wrong == []
