"""The script that asks for a verdict while somebody writes, in headless Chromium with a clock of the test's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Page

from tests.browser.conftest import CHROMIUM

ROOT = Path(settings.BASE_DIR)
ESBUILD = ROOT / "node_modules" / ".bin" / "esbuild"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("stack"),
    pytest.mark.skipif(
        CHROMIUM is None or not ESBUILD.exists() or shutil.which("node") is None, reason="no Chromium or no Node"
    ),
]
# A server that answers each question when the test says so, even one that was taken back.
PAGE = """
import { Checking } from "%s/static/src/js/lab/checking.js";
window.asked = [];
window.heard = [];
const heard = (kind) => (what) => window.heard.push([kind, what?.text ?? what ?? ""]);
window.text = "";
window.checking = new Checking({
  after: 700,
  ask: () => new Promise((answer, fail) => {
    const text = window.text;
    window.asked.push({
      text,
      answer: () => answer({ ok: true, data: { text } }),
      later: () => answer({ ok: true, data: { later: true, message: `later ${text}` } }),
      refuse: () => answer({ ok: false, data: {} }),
      fail: () => fail(new Error("no network")),
    });
  }),
  changed: heard("changed"), waiting: heard("waiting"), show: heard("show"), failed: () => heard("failed")(),
});
"""


class Desk:
    """The page: what was asked, what was heard."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def write(self, text: str) -> None:
        self.page.evaluate("(text) => { window.text = text; checking.soon(); }", text)

    def answer(self, number: int, how: str = "answer") -> None:
        self.page.evaluate("([number, how]) => { asked[number][how](); }", [number, how])
        self.pass_by(1)

    def pass_by(self, milliseconds: int) -> None:
        self.page.clock.run_for(milliseconds)

    @property
    def asked(self) -> list[str]:
        return list(self.page.evaluate("() => asked.map((one) => one.text)"))

    @property
    def heard(self) -> list[list[str]]:
        """Since the last look."""
        return list(self.page.evaluate("() => window.heard.splice(0)"))


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("checking")
    (folder / "entry.js").write_text(PAGE % ROOT)
    command = [ESBUILD, folder / "entry.js", "--bundle", f"--outfile={folder / 'page.js'}", "--log-level=error"]
    subprocess.run(command, check=True)
    return (folder / "page.js").read_text()


@pytest.fixture
def desk(browser: Any, script: str) -> Iterator[Desk]:
    page = browser.new_page()
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    page.set_content("<!doctype html><html><body></body></html>")
    page.add_script_tag(content=script)
    yield Desk(page)
    page.close()


@pytest.fixture
def judged(desk: Desk) -> Desk:
    """A page on which the verdict on its first text stands."""
    desk.page.evaluate("() => { window.text = 'first'; checking.now(); }")
    assert desk.heard == [["waiting", "checking"]]  # at once: nothing else is there to be read
    desk.answer(0)
    assert desk.heard == [["show", "first"]]
    return desk


def test_a_text_is_asked_about_when_its_writer_pauses(judged: Desk) -> None:
    for text in ("a", "ab", "abc"):
        judged.write(text)
        judged.pass_by(600)
    assert judged.asked == ["first"]
    judged.pass_by(101)
    assert judged.asked == ["first", "abc"]
    assert judged.heard == [["changed", ""]] * 3


def test_a_fast_answer_comes_without_a_word_before_it(judged: Desk) -> None:
    judged.write("fast")
    judged.pass_by(700 + 350)
    judged.answer(1)
    judged.pass_by(5000)
    assert judged.heard == [["changed", ""], ["show", "fast"]]


def test_a_slow_answer_is_announced_and_then_shown(judged: Desk) -> None:
    judged.write("slow")
    judged.pass_by(700 + 401)
    assert judged.heard == [["changed", ""], ["waiting", "checking"]]
    judged.answer(1)
    assert judged.heard == [["show", "slow"]]


@pytest.mark.parametrize("how", ["answer", "later", "refuse", "fail"])
def test_nothing_is_heard_of_an_older_text(judged: Desk, how: str) -> None:
    judged.write("old")
    judged.pass_by(701)
    judged.write("new")
    judged.answer(1, how)
    judged.pass_by(701)
    assert judged.asked == ["first", "old", "new"]
    judged.answer(2)
    judged.pass_by(5000)
    assert judged.heard == [["changed", ""], ["changed", ""], ["show", "new"]]


def test_what_comes_later_is_asked_for_again_with_the_servers_words(judged: Desk) -> None:
    judged.write("x")
    judged.pass_by(701)
    judged.answer(1, "later")
    judged.pass_by(701)
    assert judged.asked == ["first", "x", "x"]
    judged.answer(2)
    assert judged.heard == [["changed", ""], ["waiting", "later x"], ["show", "x"]]


@pytest.mark.parametrize("how", ["refuse", "fail"])
def test_a_check_that_fails_is_said_once(judged: Desk, how: str) -> None:
    judged.write("x")
    judged.pass_by(701)
    judged.answer(1, how)
    judged.pass_by(5000)
    assert judged.heard == [["changed", ""], ["failed", ""]]
