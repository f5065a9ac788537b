"""What a person sees: pages without an error, a chart that moves, a demo that trades."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.stack import Stack


@pytest.fixture(scope="module")
def ref(stack: Stack) -> str:
    """The instrument that the demo trades."""
    return stack.query("select i.ref from trading_deployment d join marketdata_instrument i on i.id = d.instrument_id limit 1")[
        0
    ][0]


@pytest.fixture(scope="module")
def moving(stack: Stack) -> tuple[str, str]:
    """The instrument with the longest history, and its shortest bars."""
    return stack.query(
        "select i.ref, i.base_timeframe from marketdata_candle c join marketdata_instrument i on i.id = c.instrument_id"
        " join marketdata_venue v on v.id = i.venue_id where v.is_enabled and v.mode <> 'sample'"
        " group by 1, 2 order by count(*) desc limit 1"
    )[0]  # type: ignore[return-value]


def sideways(visitor: Visitor) -> int:
    return visitor.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize(
    "path", ["/", "/markets/", "/strategies/", "/licences/", "/accounts/login/", "/accounts/signup/", "/api/docs/"]
)
def test_public_pages_have_no_error_and_do_not_overflow(visitor: Visitor, path: str):
    page = visitor.open(path)
    page.wait_for_load_state("networkidle") if path == "/api/docs/" else page.wait_for_load_state("load")
    assert visitor.wrong == []
    assert sideways(visitor) <= 0 or path == "/api/docs/"


def test_a_signed_in_persons_pages_have_no_error_and_do_not_overflow(visitor: Visitor):
    visitor.sign_in()
    for path in ("/trade/", "/trade/orders/", "/trade/activity/", "/markets/watchlists/", "/accounts/settings/",
                 "/accounts/settings/tokens/", "/accounts/2fa/", "/accounts/sessions/"):  # fmt: skip
        visitor.open(path).wait_for_load_state("load")
        assert visitor.wrong == [], path
        assert sideways(visitor) <= 0, path


def test_the_chart_shows_bars_and_moves(visitor: Visitor, ref: str):
    page = visitor.open(f"/markets/{ref}/")
    page.wait_for_function("window.clusterx && window.clusterx.view && document.querySelector('canvas')")
    price = page.locator("[data-price]").first if page.locator("[data-price]").count() else page.locator("h1")
    before = page.content()
    page.wait_for_function("(old) => document.body.innerText !== old", arg=page.inner_text("body"), timeout=30_000)
    assert page.content() != before
    expect(price).to_be_visible()
    assert visitor.wrong == []


def test_the_landing_page_shows_a_market_that_moves_or_says_that_it_is_a_drawing(visitor: Visitor, moving: tuple[str, str]):
    page = visitor.open("/")
    expect(page.locator("#live-picture canvas").first).to_be_visible(timeout=20_000)
    expect(page.locator("#live-picture svg.candle-picture")).to_have_count(0)
    price = page.locator("#live-picture [data-price]")
    expect(price).not_to_have_text(price.inner_text(), timeout=30_000)
    page.route("**/api/v1/instruments/", lambda route: route.fulfill(json={"results": []}))
    visitor.open("/")
    expect(page.get_by_text("A drawing: no market is connected.")).to_be_visible()
    assert visitor.wrong == []


def test_the_timeframe_and_an_indicator_can_be_chosen(visitor: Visitor, ref: str):
    page = visitor.open(f"/markets/{ref}/")
    page.wait_for_function("window.clusterx && window.clusterx.view && document.querySelector('canvas')")
    page.get_by_text("1h", exact=True).first.click()
    page.wait_for_url("**timeframe=1h**")
    page.get_by_role("button", name="Indicators").click()
    page.locator("#indicator-search").fill("rsi")
    page.locator("#indicator-list button", has_text="Relative strength index").click()
    page.locator("dialog[open] .dialog-foot button.primary").click()
    expect(page.locator("[data-spec^='rsi'] .chip-values")).to_have_text(re.compile(r"\d"), timeout=20_000)
    assert visitor.wrong == []


def test_indicators_follow_the_forming_bar_by_the_stream_until_they_are_taken_off(visitor: Visitor, moving: tuple[str, str]):
    page = visitor.page
    page.add_init_script("""
        localStorage.setItem('chart.indicators', '["sma(2)", "ichimoku(3,5,8,4)"]');
        window.said = []; window.asked = [];
        const send = WebSocket.prototype.send, ask = window.fetch;
        WebSocket.prototype.send = function (text) { said.push(text); return send.call(this, text); };
        window.fetch = (...all) => { asked.push(String(all[0])); return ask(...all); };
    """)
    ref, timeframe = moving
    visitor.open(f"/markets/{ref}/?timeframe={timeframe}")
    newest = "clusterx.menu.indicators.at(clusterx.view.rows.at(-1)?.[0])[0]?.values[0]?.value"
    page.wait_for_function(f"() => window.clusterx?.view.formingTime && {newest} !== undefined", timeout=30_000)
    page.wait_for_function("() => window.clusterx.menu.indicators.list.every((one) => one.answer)")
    # Values begin at the first bar: one before it would be a place on the axis without a bar.
    first = "[clusterx.view.rows[0][0], ...clusterx.menu.indicators.list.map((one) => [...one.values.values()][0][0].time)]"
    assert len(set(page.evaluate(first))) == 1
    asked = page.evaluate("asked.length")
    before = page.evaluate(newest)
    page.wait_for_function(f"(old) => {newest} !== undefined && {newest} !== old", arg=before, timeout=30_000)
    # The mean of two closes: of the bar that forms and of the one before.
    page.wait_for_function(
        f"() => {{ const [a, b] = clusterx.view.rows.slice(-2); return Math.abs({newest} - (a[4] + b[4]) / 2) < 1e-6; }}",
        timeout=30_000,
    )
    assert [url for url in page.evaluate("asked")[asked:] if "/indicators/" in url] == []
    # The cloud reaches beyond the newest bar: there are times on the axis that no bar has yet.
    page.wait_for_function("""() => {
        const rows = clusterx.view.rows, newest = rows.at(-1)[0], step = newest - rows.at(-2)[0];
        return clusterx.view.chart.timeScale().timeToCoordinate(newest + 4 * step) !== null;
    }""")

    page.get_by_role("button", name="Table").click()
    first = page.locator("#chart-table tbody tr").first
    expect(first).to_contain_text("forming")
    expect(first.locator("td").nth(6)).to_have_text(re.compile(r"^[\d,]+\.\d+$"))
    assert sideways(visitor) <= 0
    page.keyboard.press("Escape")

    page.locator("[data-spec='sma(2)'] .chip-close").click()
    page.wait_for_function(
        "(channel) => said.some((text) => text.includes('unsubscribe') && text.includes(channel))",
        arg=f"indicators/{ref}/{timeframe}/sma(2)",
    )
    assert visitor.wrong == []


def test_the_demo_trades_and_its_fills_stand_on_the_dashboard(visitor: Visitor):
    visitor.sign_in()
    page = visitor.page
    expect(page.get_by_text("Strategies at work")).to_be_visible()
    expect(page.get_by_text("SMA cross").first).to_be_visible()
    expect(page.get_by_text("Equity").first).to_be_visible()
    visitor.open("/trade/orders/")
    expect(page.get_by_text("Filled").first).to_be_visible()
    assert visitor.wrong == []


def test_french_is_chosen_by_the_browser(stack: Stack, browser):
    context = browser.new_context(locale="fr-FR")
    page = context.new_page()
    page.goto(stack.url + "/markets/")
    assert page.get_attribute("html", "lang") == "fr"
    expect(page.get_by_role("link", name="Marchés").first).to_be_visible()
    context.close()
