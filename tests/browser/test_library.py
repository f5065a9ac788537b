"""The page of a library strategy: its chart comes after the page, in a place that was there from the beginning."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.test_lab import sideways

# The first computation of a stack loads the engine, or compiles it.
FIRST_CHART = 240_000
SHIFTS = """() => {
    window.shifted = 0;
    new PerformanceObserver((list) => { for (const one of list.getEntries()) window.shifted += one.value; })
        .observe({ type: "layout-shift", buffered: true });
}"""


def test_a_stranger_sees_how_a_strategy_trades_and_where_the_same_run_is_asked_for(visitor: Visitor):
    page = visitor.page
    page.add_init_script(f"({SHIFTS})()")
    visitor.open("/strategies/bollinger-reversion/")
    page.wait_for_function("() => window.clusterx?.demonstration", timeout=FIRST_CHART)
    trades = page.evaluate("() => clusterx.demonstration.data.trades")
    marks = len(trades["open"]) + sum(not still for still in trades["open"])
    assert page.evaluate("() => clusterx.demonstration.marked") == marks > 0
    expect(page.locator("[data-figure=return] .stat-value")).to_contain_text("%")
    expect(page.locator(".pane-keys").first).to_contain_text("Bands")
    whole = "() => { const r = clusterx.demonstration.chart.timeScale().getVisibleLogicalRange(); return r.to - r.from; }"
    latest = page.evaluate(whole)
    page.get_by_role("button", name="Whole span").click()
    assert page.evaluate(whole) > latest
    assert page.evaluate("() => window.shifted") < 0.05
    assert sideways(page) <= 0
    assert visitor.wrong == []
    asked = page.locator("#demonstration-run").get_attribute("href") or ""
    visitor.sign_in()
    visitor.open(asked)
    expect(page.locator("input[name=span][value=dates]")).to_be_checked()
    assert page.input_value("input[name=start]") in asked
    assert page.input_value("select[name=instrument]").replace(":", "%3A") in asked
