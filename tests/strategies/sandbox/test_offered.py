"""What a user's file is offered: the examples of the documentation run as they stand, and nothing tells of the host."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from marketdata.bars import Bars
from strategies.higher import Higher
from strategies.proving import prove
from strategies.proving.subjects import Sandboxed
from strategies.sandbox.image import PROJECT, image, parent
from strategies.sandbox.inside import api
from strategies.sandbox.limits import Reason
from strategies.sandbox.pool import Pool
from tests.strategies.library.series import walk
from tests.strategies.sandbox.test_pool import HEAD

pytestmark = pytest.mark.xdist_group("sandbox")
PAGES = [(PROJECT / "docs" / name).read_text(encoding="utf-8") for name in ("strategies.md", "sandbox.md")]
EXAMPLES = {
    re.search(r"^class (\w+)", code, re.MULTILINE)[1]: code  # type: ignore[index]
    for page in PAGES
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    if "class " in code
}
MINE = HEAD.format(base="Strategy").replace("import EventStrategy", "import Higher, EventStrategy")


def asking(body: str) -> str:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return f"{MINE}    def signals(self, bars, p):\n{lines}        return np.zeros(len(bars))\n"


def quarter_hours(length: int = 1500) -> Bars:
    return walk(5, length)


def test_the_documentation_has_examples() -> None:
    assert set(EXAMPLES) == {"Dip", "DipInAnUptrend", "Trend"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_the_documentation_runs_and_is_proved(pool: Pool, name: str) -> None:
    code, given = EXAMPLES[name], quarter_hours()
    declared = pool.declaration(code)
    assert declared.reason is None, declared.message
    answer = pool.signals(code, given, {})
    assert answer.ok, answer.message
    assert 20 < np.count_nonzero(answer.exposure) < len(given) - 20
    for length in (0, 1, 2):
        assert pool.signals(code, given[:length], {}).ok
    verdict = prove(Sandboxed(pool, code, {}), given, source=code, cuts=30)
    assert verdict.passed, verdict.summary


def test_a_higher_timeframe_inside_is_what_it_is_outside(pool: Pool) -> None:
    given = quarter_hours()
    code = MINE + (
        "    def signals(self, bars, p):\n"
        "        hours = Higher(bars, '4h')\n"
        "        return (np.nan_to_num(hours.align(hours.bars.close)) > bars.close).astype(float)\n"
    )
    hours = Higher(given, "4h")
    expected = np.nan_to_num(hours.align(hours.bars.close)) > given.close
    assert 100 < expected.sum() < len(given) - 100
    np.testing.assert_array_equal(pool.signals(code, given, {}).exposure, expected.astype(float))


def test_a_higher_timeframe_that_is_none_is_an_error_with_its_line(pool: Pool) -> None:
    answer = pool.signals(asking("Higher(bars, '7m')"), quarter_hours(50), {})
    assert answer.reason == Reason.ERROR
    assert answer.line == asking("Higher(bars, '7m')").splitlines().index("        Higher(bars, '7m')") + 1


def test_the_page_lists_what_is_offered() -> None:
    table = PAGES[1].partition("`clusterx_api` offers:")[2].partition("\n\n`")[0]
    assert set(re.findall(r"`(\w+)`", table)) >= set(api.__all__)


def test_nothing_inside_names_a_folder_of_this_host(pool: Pool) -> None:
    """Asked inside, since what comes out is cleaned of such folders."""
    folders = sorted(
        {str(one) for one in (PROJECT, parent(), parent().resolve(), image().folder, Path.home())} - {"/", "/root"}
    )
    body = (
        "import os, sys, types\n"
        "files = [getattr(m, '__file__', '') or '' for m in list(sys.modules.values()) if isinstance(m, types.ModuleType)]\n"
        "seen = repr((dict(os.environ), sys.path, sys.argv, sys.orig_argv, files, os.listdir('/')))\n"
        f"told = [number for number, folder in enumerate({folders!r}) if folder in seen or os.path.exists(folder)]\n"
        "if told: raise ValueError(f'sees folders {told}')"
    )
    answer = pool.signals(asking(body), quarter_hours(50), {})
    assert answer.ok, (answer.message, folders)


def test_the_machine_code_of_the_engine_is_not_made_anew_inside(pool: Pool) -> None:
    """It was compiled for another folder's name: a miss would cost each zygote a minute."""
    body = (
        "from strategies.engine.kernel import whole_bar\n"
        "stats = whole_bar.stats\n"
        "if not stats.cache_hits or stats.cache_misses: raise ValueError(repr(stats))"
    )
    answer = pool.signals(asking(body), quarter_hours(50), {})
    assert answer.ok, answer.message


@pytest.mark.parametrize(
    "call", ["import os; os.system('id')", "from os import system; system('id')", "import os; os.popen('id').read()"]
)
def test_an_author_hears_that_a_strategy_starts_no_processes(pool: Pool, call: str) -> None:
    code = asking(call)
    answer = pool.signals(code, quarter_hours(50), {})
    assert answer.reason == Reason.FORBIDDEN
    assert "a strategy" in answer.message.lower()
    if "popen" not in call:  # ended by the kernel, which leaves no words
        assert answer.message == (
            "PermissionError: os.system would start a process. A strategy has no files, network, processes or threads"
        )
    assert answer.line == code.splitlines().index(f"        {call}") + 1
