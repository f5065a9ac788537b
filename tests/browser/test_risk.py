"""The appetite, the breakers and the way out of everything, as somebody holds them in their hand."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.stack import Stack

HELD = "select 1 from trading_position where quantity <> 0 limit 1"
FLAT = "select 1 where not exists (select 1 from trading_position where quantity <> 0)"


def test_the_appetite_shows_what_it_would_change_before_it_is_saved(visitor: Visitor) -> None:
    visitor.sign_in()
    page = visitor.open("/trade/risk/")
    preview = page.locator("#risk-preview")
    before = page.input_value("#appetite")
    wanted = "2" if before != "2" else "3"
    page.fill("#appetite", wanted)
    expect(page.locator("#appetite-value")).to_have_text(wanted)
    expect(preview).to_contain_text("would change")
    expect(preview).to_contain_text("Nothing is saved yet.")
    page.click(".advanced > summary")
    page.fill("#p-leverage", "100")
    expect(preview).to_contain_text("“Leverage” must be 0.01× to 20×.")
    page.fill("#p-leverage", "2")
    expect(preview.locator("tr.changed", has_text="Leverage")).to_contain_text("by hand")
    visitor.open("/trade/risk/")
    assert page.input_value("#appetite") == before
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visitor.wrong == []


def test_panic_is_followed_to_its_end_and_the_account_trades_again(visitor: Visitor, stack: Stack, size: str) -> None:
    visitor.sign_in()
    page = visitor.open("/trade/")
    if size == "phone":  # the first of the two: what the demo's deployments hold is closed by it
        stack.wait(lambda: stack.query(HELD), "the demo to hold something", seconds=120)
    expect(page.locator(".panic-form")).to_be_hidden()
    page.click("#panic-button")
    expect(page.locator("#panic-will")).to_contain_text("Every open order is cancelled.")
    button = page.get_by_role("button", name="Cancel and close everything now")
    expect(button).to_be_in_viewport()
    button.click()
    page.wait_for_url("**/trade/panic/**")
    # Nobody reloads: the stream tells of each step.
    expect(page.locator("#live")).to_contain_text("Nothing is held and nothing is open", timeout=30_000)
    stack.wait(lambda: stack.query(FLAT), "nothing to be held", seconds=5)
    followed = page.url
    for path in ("/trade/", "/trade/orders/", "/trade/risk/"):
        visitor.open(path)
        expect(page.locator("#standing")).to_contain_text("This account is halted")
    page.goto(followed)
    page.fill("#resume-reason", "It was a test.")
    page.get_by_role("button", name="Let the account trade again").click()
    page.wait_for_url("**/trade/risk/**")
    expect(page.locator("#state .badge")).not_to_have_text("Halted")
    assert visitor.wrong == []


def test_panic_needs_no_script(visitor: Visitor) -> None:
    visitor.sign_in()
    context = visitor.page.context.browser.new_context(
        java_script_enabled=False, storage_state=visitor.page.context.storage_state()
    )  # type: ignore[union-attr]
    page = context.new_page()
    page.goto(f"{visitor.url}/trade/risk/")
    page.click("#panic-button")
    page.get_by_role("button", name="Cancel and close everything now").click()
    page.wait_for_url("**/trade/panic/**")
    # Without script it asks by itself how far it is.
    page.get_by_role("button", name="Let the account trade again").wait_for(timeout=30_000)
    page.fill("#resume-reason", "It was a test.")
    page.get_by_role("button", name="Let the account trade again").click()
    page.wait_for_url("**/trade/risk/**")
    context.close()
