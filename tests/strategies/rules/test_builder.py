"""The rule builder in headless Chromium: its partial, its style and its script on a page of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.html import json_script
from django.utils.translation import override
from playwright.sync_api import Page, expect

from strategies.rules import EXAMPLES, gallery, read, say, vocabulary
from tests.browser.conftest import CHROMIUM, SIZES

ROOT = Path(settings.BASE_DIR)
ESBUILD = ROOT / "node_modules" / ".bin" / "esbuild"
# Controls that show and have no name.
UNNAMED = """
[...document.querySelectorAll(".rules :is(input:not([type=hidden]), select, button)")]
  .filter((one) => one.offsetParent && !one.labels?.length && !one.ariaLabel && !one.innerText.trim())
  .map((one) => one.outerHTML)
"""
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("stack"),
    pytest.mark.skipif(
        CHROMIUM is None or not ESBUILD.exists() or shutil.which("node") is None, reason="no Chromium or no Node"
    ),
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Script and style, as the build makes them."""
    folder = tmp_path_factory.mktemp("rules")
    entry = folder / "entry.js"
    entry.write_text(
        f'import {{ startRules }} from "{ROOT}/static/src/js/rules/start.js";'
        f'import {{ pageData }} from "{ROOT}/static/src/js/elements.js";'
        'window.builder = startRules(pageData("given"));'
    )
    for source, made in ((entry, "page.js"), (ROOT / "static/src/css/app.css", "page.css")):
        subprocess.run([ESBUILD, source, "--bundle", f"--outfile={folder / made}", "--log-level=error"], check=True)
    return (folder / "page.js").read_text(), (folder / "page.css").read_text()


class Builder:
    """A page with the builder on it, and the documents that its events carried."""

    def __init__(self, page: Page, bundle: tuple[str, str], document: Any, language: str) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        context = {"rule_document": document}
        with override(language):
            body = render_to_string("strategies/_rules_builder.html", context) + render_to_string(
                "strategies/_rules_examples.html", context
            )
        body += json_script({"vocabulary": vocabulary(language), "gallery": gallery(language)}, "given")
        page.set_content(
            f"<!doctype html><html lang={language}><style>{bundle[1]}</style><main style='padding:16px'>{body}</main></html>"
        )
        page.evaluate(
            "document.addEventListener('change', (e) => { window.heard = e.detail; window.count = (window.count ?? 0) + 1; })"
        )
        page.add_script_tag(content=bundle[0], type="module")
        page.wait_for_function("window.builder")

    @property
    def document(self) -> Any:
        return self.page.evaluate("window.builder.document")

    @property
    def sentence(self) -> str:
        return self.page.locator("[data-sentence]").inner_text()


@pytest.fixture
def open_builder(browser: Any, bundle: tuple[str, str], request: pytest.FixtureRequest) -> Iterator[Any]:
    opened: list[Builder] = []

    def make(document: Any = None, *, size: str = "desktop", language: str = "en") -> Builder:
        page = browser.new_page(viewport=SIZES[size])
        opened.append(Builder(page, bundle, document, language))
        return opened[-1]

    yield make
    for one in opened:
        assert one.wrong == []
        one.page.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_shown_said_and_left_as_it_is(open_builder: Any, name: str, size: str) -> None:
    document = json.loads(json.dumps(EXAMPLES[name]))
    builder = open_builder(document, size=size)
    assert builder.document == document
    assert builder.sentence == say(read(document))
    assert builder.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert builder.page.evaluate(UNNAMED) == []


def test_a_new_rule_is_built_with_the_keyboard_and_is_valid(open_builder: Any) -> None:
    builder = open_builder()
    page = builder.page
    read(builder.document)
    entry = page.get_by_role("region", name="Buy when")
    entry.get_by_role("button", name="Add a condition").focus()
    page.keyboard.press("Enter")
    assert len(builder.document["entry"]["long"]["all"]) == 2
    expect(entry.get_by_role("button", name="Add a condition")).to_be_focused()
    second = entry.get_by_role("group", name="Condition").nth(1)
    second.get_by_label("Comparison").focus()
    second.get_by_label("Comparison").select_option("crosses_below")
    expect(second.get_by_label("Comparison")).to_be_focused()
    second.get_by_role("combobox", name="Compared with").select_option("indicator:rsi")
    second.get_by_role("spinbutton", name="Length").fill("21")
    assert builder.document["entry"]["long"]["all"][1] == {
        "op": "crosses_below", "left": {"price": "close"}, "right": {"indicator": "rsi", "params": {"window": 21}},
    }  # fmt: skip
    assert "the close crosses below RSI(21)" in builder.sentence
    read(builder.document)
    heard = page.evaluate("window.heard")
    assert heard == {"document": builder.document, "sentence": builder.sentence}
    assert json.loads(page.locator("[data-rule-field]").input_value()) == builder.document
    page.keyboard.press("Alt+ArrowUp")
    assert builder.document["entry"]["long"]["all"][0]["op"] == "crosses_below"


def test_steps_are_undone_and_typing_is_one_of_them(open_builder: Any) -> None:
    builder = open_builder()
    first = builder.document
    hold = builder.page.get_by_role("spinbutton", name="Hold at most")
    hold.fill("")
    hold.press_sequentially("345")
    assert builder.document["hold"] == 345
    hold.press("Control+z")
    assert builder.document == first
    builder.page.get_by_role("button", name="Do again").click()
    assert builder.document["hold"] == 345
    expect(hold).to_have_value("345")


def test_groups_negation_duplicates_and_removal(open_builder: Any) -> None:
    builder = open_builder()
    entry = builder.page.get_by_role("region", name="Buy when")
    entry.get_by_role("button", name="Add a group").click()
    assert list(builder.document["entry"]["long"]["all"][1]) == ["any"]
    entry.get_by_role("button", name="Duplicate").first.click()
    entry.get_by_role("button", name="not", exact=True).nth(1).click()
    assert list(builder.document["entry"]["long"]["all"][0]) == ["not"]
    read(builder.document)
    builder.page.get_by_role("region", name="Only while").get_by_role("button", name="Add a condition").click()
    assert "only while" in builder.sentence
    filters = builder.page.get_by_role("region", name="Only while")
    filters.get_by_role("button", name="Remove").last.click()
    assert "filters" not in builder.document
    expect(filters.get_by_role("button", name="Add a condition")).to_be_focused()


def test_another_direction_asks_for_the_other_side(open_builder: Any) -> None:
    builder = open_builder(json.loads(json.dumps(EXAMPLES["trend-cross"])))
    builder.page.get_by_role("combobox", name="Direction").select_option("both")
    read(builder.document)
    builder.page.get_by_role("combobox", name="Direction").select_option("short")
    read(builder.document)
    builder.page.get_by_role("combobox", name="Direction").select_option("long")
    assert builder.document == EXAMPLES["trend-cross"]


def test_a_number_becomes_a_parameter_and_a_number_again(open_builder: Any) -> None:
    builder = open_builder()
    page = builder.page
    page.get_by_role("button", name="Make Hold at most a parameter").click()
    assert builder.document["hold"] == {"tune": "hold", "value": 200, "minimum": 100, "maximum": 400, "step": 1}
    page.get_by_role("spinbutton", name="Highest").fill("300")
    assert builder.document["hold"]["maximum"] == 300
    read(builder.document)
    page.get_by_role("button", name="Fix Hold at most again").click()
    assert builder.document["hold"] == 200


def test_problems_are_shown_at_their_fields(open_builder: Any) -> None:
    builder = open_builder()
    page = builder.page
    page.evaluate(
        "builder.show([{path: '/hold', found: '0', expected: 'a whole number'}, {path: '/version', found: '2', expected: '1'}])"
    )
    hold = page.get_by_role("spinbutton", name="Hold at most")
    expect(hold).to_have_attribute("aria-invalid", "true")
    expect(hold).to_have_accessible_description("Expected a whole number, found 0.")
    expect(page.locator("[data-problems]")).to_have_text("Expected 1, found 2.")
    page.evaluate("builder.show([])")
    expect(page.locator(".rule-problem")).to_have_count(0)


def test_a_template_of_the_gallery_is_one_step_to_undo(open_builder: Any) -> None:
    builder = open_builder(language="fr")
    before = builder.document
    builder.page.get_by_role("button", name="Un creux dans une tendance haussière").click()
    assert builder.document["cooldown"] == 6
    assert builder.sentence.startswith("Acheter quand RSI(5) est sous 30 ;")
    builder.page.evaluate("builder.undo()")
    assert builder.document == before
