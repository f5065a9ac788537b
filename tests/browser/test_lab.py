"""The lab as a person uses it: ask for a run, read its report, compare, share, write a strategy and run it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visitor

# The first run of a stack compiles the engine.
FIRST_RUN = 240_000
ROOM = 20_000


def sideways(page: Page) -> int:
    return int(page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def named(page: Page) -> list[str]:
    """What heading, breadcrumb and title call it."""
    return [
        page.locator("h1").inner_text(),
        page.locator(".breadcrumb > :last-child").inner_text(),
        page.title().removesuffix(" · ClusterX"),
    ]


def instrument(page: Page) -> str:
    """The one with the longest history on the form."""
    return str(
        page.evaluate("""() => {
            const { instruments } = JSON.parse(document.getElementById("page-data").textContent);
            const longest = (spans) => Math.max(0, ...Object.values(spans));
            return Object.entries(instruments).sort((a, b) => longest(b[1]) - longest(a[1]))[0][0];
        }""")
    )


def run_it(visitor: Visitor, strategy: str = "sma-cross") -> str:
    """Ask for a run by the form and wait for its report; the run's path."""
    page = visitor.open(f"/strategies/runs/new/?strategy={strategy}")
    page.select_option("select[name=instrument]", instrument(page))
    with page.expect_navigation():
        page.click("#run-form button.primary")
    expect(page.locator("#report")).to_be_visible(timeout=FIRST_RUN)
    return page.url.removeprefix(visitor.url)


@pytest.fixture
def reader(visitor: Visitor) -> Visitor:
    visitor.sign_in()
    return visitor


def test_a_run_is_asked_for_watched_and_read_without_a_reload(reader: Visitor, size: str):
    page = reader.page
    path = run_it(reader)
    expect(page.locator("#equity-chart canvas").first).to_be_visible(timeout=ROOM)
    expect(page.locator("#trade-table table")).to_be_visible(timeout=ROOM)
    page.wait_for_function("() => window.clusterx?.price?.placed.rows > 0", timeout=ROOM)
    # A mark vanishes unless it stands on a bar: those drawn are the entries and exits of the bars that are there.
    counted = page.evaluate("""() => {
        const { trades } = clusterx.price.data;
        return trades.entry_time.length + trades.open.filter((open) => !open).length;
    }""")
    page.locator("[data-jump]").first.click()
    page.wait_for_function("() => document.querySelector('tr.chosen')")
    expect(page.locator("#trade-now")).to_contain_text("1")
    assert 0 < page.evaluate("() => clusterx.price.placed.drawn") <= counted
    ends = "() => { const r = clusterx.price.chart.timeScale().getVisibleRange(), t = clusterx.price.data.trades; return "
    page.wait_for_function(ends + "r.from <= t.entry_time[0] && r.to >= t.exit_time[0]; }", timeout=ROOM)
    if size == "phone":
        page.select_option(".sort-choice select", "pnl")
    else:
        # The jump scrolls smoothly to the chart, which a busy machine draws for a while: not to be pressed in the middle of it.
        page.wait_for_function("""() => new Promise((settled) => {
            const before = scrollY;
            setTimeout(() => settled(scrollY === before), 400);
        })""")
        page.get_by_role("button", name="Result").press("Enter")
    expect(page.locator("th[aria-sort=ascending] .sort")).to_contain_text("Result")
    assert sideways(page) <= 0
    assert reader.wrong == []
    # The same page, opened again, says the same.
    total = page.locator(".headline .stat-value").first.inner_text()
    reader.open(path)
    expect(page.locator(".headline .stat-value").first).to_have_text(total)
    assert reader.wrong == []


def test_runs_are_compared_and_one_is_shared_with_a_stranger(reader: Visitor):
    page = reader.page
    path = run_it(reader)
    run_it(reader, "momentum")
    reader.open("/strategies/runs/?status=done")
    for box in page.locator("#chooser [name=run]").all()[:2]:
        box.check()
    with page.expect_navigation():
        page.click("#compare-button")
    expect(page.locator("table.compare thead th")).to_have_count(3)
    expect(page.locator("#compare-chart canvas").first).to_be_visible(timeout=ROOM)
    assert sideways(page) <= 0
    reader.open(path)
    page.locator("[data-opens=share]").click()
    with page.expect_navigation():
        page.locator("#share form button.primary").click()
    link = page.locator("#share-link").input_value()
    page.context.clear_cookies()
    reader.open(re.sub(r"^https?://[^/]+", "", link))
    expect(page.locator("#report .headline")).to_be_visible()
    expect(page.locator("#trade-table table")).to_be_visible(timeout=ROOM)
    expect(page.locator("#price-chart canvas").first).to_be_visible(timeout=ROOM)
    assert reader.wrong == []


def test_a_strategy_is_written_broken_mended_and_run_by_the_keyboard(reader: Visitor, size: str):
    page = reader.open("/strategies/new/code/?template=trend")
    page.wait_for_function("() => window.clusterx?.editor")
    page.fill("#strategy-name", f"Written on a {size}")
    expect(page.locator("#problem")).to_have_class(re.compile("good"), timeout=FIRST_RUN)
    page.locator("#editor .cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("\n    def broken(:")
    expect(page.locator("#problem")).to_have_class(re.compile("bad"), timeout=ROOM)
    expect(page.locator("#problem button")).to_have_text(re.compile(r"Line \d+"))
    for _ in range(20):
        page.keyboard.press("Control+z")
    expect(page.locator("#problem")).to_have_class(re.compile("good"), timeout=ROOM)
    page.keyboard.press("Control+s")
    expect(page.locator("#editor-state")).to_have_text("Version 1")
    assert "/edit/" in page.url
    assert named(page) == [f"Written on a {size}"] * 3
    page.select_option("#try-instrument", instrument(page))
    page.locator("#editor .cm-content").click()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#try-result dl")).to_contain_text("Total return", timeout=FIRST_RUN)
    assert sideways(page) <= 0
    assert reader.wrong == []


def test_a_rule_is_previewed_while_it_is_built_and_tried_on_the_same_bars(reader: Visitor, size: str):
    page = reader.open("/strategies/new/rules/")
    page.locator("[data-rule-example]").first.click()
    expect(page.locator("#preview-said")).to_have_text(re.compile(r"\d+ trades"), timeout=FIRST_RUN)
    expect(page.locator("#preview-chart canvas").first).to_be_visible()
    page.fill("[data-path='/name']", f"Built on a {size}")
    page.click("#try")
    expect(page.locator("#try-result dl")).to_contain_text("Total return", timeout=FIRST_RUN)
    assert named(page) == [f"Built on a {size}"] * 3
    bars = page.locator("#preview-bars").inner_text()
    assert re.match(r"[\d,]+ bars of \d+[mhd], ", bars)
    expect(page.locator("#try-result")).to_contain_text(bars)
    assert sideways(page) <= 0
    assert reader.wrong == []


def test_changing_a_condition_moves_the_signals_and_the_sentence(reader: Visitor):
    page = reader.open("/strategies/new/rules/")
    said, sentence = page.locator("#preview-said"), page.locator("[data-sentence]")
    expect(said).to_have_text(re.compile(r"\d+ trades"), timeout=FIRST_RUN)
    marks = "() => JSON.stringify(clusterx.preview.marks.markers().map((mark) => [mark.time, mark.shape]))"
    before, words = page.evaluate(marks), sentence.inner_text()
    assert "SMA(50)" in words
    length = page.locator("[data-sections] input[type=number][max]").filter(visible=True)
    field = next(one for one in length.all() if one.input_value() == "50")
    field.fill("9")
    field.press("Tab")
    expect(sentence).to_contain_text("SMA(9)")
    page.wait_for_function("(before) => clusterx.preview.marks.markers().length && (" + marks + ")() !== before", arg=before)
    drawn = page.evaluate("() => clusterx.preview.marks.markers().length")
    assert 0 < drawn <= 2 * int(re.findall(r"\d+", said.inner_text())[0])
    assert reader.wrong == []


def test_a_version_that_looks_ahead_is_refused_while_one_watches_and_mended(reader: Visitor, size: str):
    page = reader.open("/strategies/new/code/?template=trend")
    page.wait_for_function("() => window.clusterx?.editor")
    page.fill("#strategy-name", f"Looks ahead on a {size}")
    expect(page.locator("#problem")).to_have_class(re.compile("good"), timeout=FIRST_RUN)
    page.evaluate("""() => {
        const { view } = clusterx.editor;
        const text = view.state.doc.toString();
        const from = text.indexOf("exposure = np.where(fast > slow, 1.0, 0.0)");
        view.dispatch({ changes: { from, to: from + 42, insert: "exposure = np.roll(np.where(fast > slow, 1.0, 0.0), -3)" } });
    }""")
    page.click("#save")
    expect(page.locator("#editor-state")).to_have_text("Version 1")
    expect(page.locator("#editor-verdict .badge.bad")).to_have_text("looks ahead", timeout=FIRST_RUN)
    page.locator("#editor-verdict a").click()
    expect(page.locator("#proof")).to_contain_text("It can be neither deployed nor listed.", timeout=FIRST_RUN)
    link = page.locator("#proof a[href^='#line-']").first
    expect(page.locator(".code-line.here code")).to_contain_text("np.roll")
    link.click()
    expect(page.locator(".code-line.here")).to_be_in_viewport()
    assert sideways(page) <= 0
    page.get_by_role("link", name="Mend the code").click()
    page.wait_for_function("() => window.clusterx?.editor")
    assert "line=" in page.url
    assert reader.wrong == []


def test_the_regimes_of_a_report_can_be_shown_and_hidden(reader: Visitor):
    page = reader.page
    run_it(reader)
    page.wait_for_function("() => window.clusterx?.price?.placed.rows > 0", timeout=ROOM)
    expect(page.locator("#regime-keys")).to_be_visible()
    assert page.evaluate("() => clusterx.price.band.shown.length") > 0
    page.uncheck("#show-regimes")
    expect(page.locator("#regime-keys")).to_be_hidden()
    page.reload()
    expect(page.locator("#show-regimes")).not_to_be_checked()
    assert reader.wrong == []


def test_pages_of_the_lab_have_no_error_and_do_not_overflow(reader: Visitor):
    for path in ("/strategies/", "/strategies/sma-cross/", "/strategies/mine/", "/strategies/new/", "/strategies/runs/",
                 "/strategies/runs/new/?strategy=pairs", "/strategies/runs/compare/"):  # fmt: skip
        page = reader.open(path)
        page.wait_for_load_state("load")
        assert reader.wrong == [], path
        assert sideways(page) <= 0, path
