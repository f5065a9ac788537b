"""Nothing honest is flagged: the library, and files as users write them."""

from __future__ import annotations

import textwrap
import time

import numpy as np
import pytest

from marketdata.bars import Bars
from strategies.contract import PortfolioStrategy, Strategy
from strategies.library import CATALOGUE
from strategies.proving import prove
from strategies.proving.proof import InvalidProof
from strategies.proving.subjects import Ours, in_fresh_process, in_time_zone
from tests.strategies.library.series import panel_of, recorded, walk
from tests.strategies.proving.cheaters import HEAD
from tests.strategies.proving.files import bars_for, loaded

HONEST = {
    "rolling mean": """
        close = pd.Series(bars.close)
        return (close > close.rolling(20).mean()).to_numpy().astype(float)
    """,
    "highest before": """
        high = pd.Series(bars.high).rolling(19).max().shift(1)
        return (pd.Series(bars.close) > high).to_numpy().astype(float)
    """,
    "a loop with the last value on the way": """
        out = np.zeros(len(bars))
        for i in range(19, len(bars)):
            seen = bars.close[i - 19 : i + 1]
            out[i] = 1.0 if seen[-1] > seen.mean() else 0.0
        return out
    """,
    "the hour of the day": """
        return np.where(bars.time // 3600 % 24 < 12, 1.0, 0.0)
    """,
    "noise that the price itself makes": """
        return (bars.close * 1e6).astype(np.int64) % 3 / 2 - 0.5
    """,
    "a stop below what was lowest": """
        low = pd.Series(bars.low).rolling(10).min().to_numpy()
        up = np.nan_to_num(bars.close > pd.Series(bars.close).rolling(20).mean().to_numpy()).astype(float)
        return Signals(up, stop=low)
    """,
    "the closed hour": """
        from strategies.higher import Higher
        hours = Higher(bars, "1h")
        known = hours.align(hours.bars.close)
        return np.nan_to_num(bars.close > known).astype(float)
    """,
    "a cache by content": """
        key = bars.close.tobytes()
        if key not in KEPT:
            KEPT[key] = np.where(bars.close > bars.open, 1.0, 0.0)
        return KEPT[key].copy()
    """,
}


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_strategy_of_the_library_passes(name: str) -> None:
    strategy = CATALOGUE[name]
    answer = Ours(strategy, {})
    verdict = prove(answer, bars_for(type(strategy), 3000), elsewhere={"Auckland": in_time_zone(answer, "Pacific/Auckland")})
    assert verdict.passed, verdict.summary
    assert {check.name: check.count > 0 for check in verdict.checks if check.name != "history"} == dict.fromkeys(
        ("activity", "prefix", "poison", "last-bar", "repeat", "memory", "hidden", "elsewhere"), True
    )


@pytest.mark.recorded
@pytest.mark.parametrize("name", [name for name, one in CATALOGUE.items() if isinstance(one, Strategy)])
def test_the_library_passes_on_a_recorded_market_at_every_level_it_declares(name: str) -> None:
    verdict = prove(Ours(CATALOGUE[name], {}), recorded("BTC_USDT-1h", 5000), cuts=80, seed=7)
    assert verdict.passed, verdict.summary
    assert verdict.needed is not None
    assert verdict.declared is not None
    assert verdict.needed <= verdict.declared


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_file_passes(name: str) -> None:
    head = HEAD.replace("BASE", "Strategy")
    body = textwrap.indent(textwrap.dedent(HONEST[name]).strip(), " " * 8)
    strategy = loaded(f"{head}    def signals(self, bars, p):\n{body}\n")
    verdict = prove(Ours(strategy, {}), walk(11, 1500))
    assert verdict.passed, verdict.summary


def test_a_fresh_process_in_another_time_zone_and_with_another_hash_seed_decides_the_same() -> None:
    single, pair = Ours(CATALOGUE["sma-cross"], {}), Ours(CATALOGUE["pairs"], {})
    bars = walk(3, 800)
    for answer, given in ((single, bars), (pair, panel_of(bars, 2))):
        elsewhere = {"another process": in_fresh_process(answer, zone="America/New_York", hash_seed=7)}
        verdict = prove(answer, given, cuts=20, elsewhere=elsewhere)
        assert verdict.passed, verdict.summary


def test_a_process_that_decides_otherwise_is_found() -> None:
    answer, bars = Ours(CATALOGUE["sma-cross"], {}), walk(3, 800)
    verdict = prove(answer, bars, cuts=20, elsewhere={"a mirror": lambda bars: np.ones(len(bars))})
    assert [failure.check for failure in verdict.failures] == ["elsewhere"]
    assert verdict.summary.startswith("In a mirror bar ")
    broken = prove(answer, bars, cuts=20, elsewhere={"a ruin": in_fresh_process(_breaks)})
    assert broken.summary == "In a ruin it gives no answer: KeyError: 'gone'."


def _breaks(bars: Bars) -> object:
    raise KeyError("gone")


def test_a_proof_on_five_thousand_bars_takes_less_than_a_second() -> None:
    answer, bars = Ours(CATALOGUE["sma-cross"], {}), walk(5, 5000)
    prove(answer, bars, cuts=5)
    began = time.process_time()
    verdict = prove(answer, bars)
    assert time.process_time() - began < 1.0
    assert verdict.questions > 250


def test_the_same_seed_asks_the_same_questions_and_another_seed_others() -> None:
    def asked(seed: int) -> list[int]:
        lengths: list[int] = []

        def answer(bars: Bars) -> np.ndarray:
            lengths.append(len(bars))
            return (bars.close > bars.open).astype(float)

        assert prove(answer, walk(1, 400), declared=1, seed=seed).passed
        return lengths

    assert asked(1) == asked(1)
    assert asked(1) != asked(2)


def test_what_decides_nothing_is_not_proved() -> None:
    verdict = prove(lambda bars: np.zeros(len(bars)), walk(1, 200))
    assert verdict.summary.startswith("It decides nothing on these bars")


def test_what_gives_no_answer_fails_in_words() -> None:
    def breaks(bars: Bars) -> np.ndarray:
        if len(bars) < 10:
            raise IndexError("index 10 is out of bounds")
        return (bars.close > bars.open).astype(float)

    assert prove(breaks, walk(1, 200)).summary.startswith(
        "It gives no answer to the first bar alone: IndexError: index 10 is out of bounds."
    )
    assert prove(lambda bars: np.full(len(bars), 1e9), walk(1, 200)).summary == (
        "It gives no answer to 200 bars: exposure must be in -1..1, was 1e+09 after bar 0."
    )
    assert prove(lambda bars: "long", walk(1, 200)).summary.startswith(
        "It gives no answer to 200 bars: exposure must be 200 numbers"
    )
    assert "exposures must be for 200 bars" in prove(lambda bars: np.zeros((3, 2)), panel_of(walk(1, 200), 2)).summary
    with pytest.raises(InvalidProof, match="50 bars or more, had 49"):
        prove(breaks, walk(1, 49))


def test_every_leg_of_a_portfolio_counts() -> None:
    assert any(isinstance(one, PortfolioStrategy) for one in CATALOGUE.values())

    def answer(panel: object) -> np.ndarray:
        bars = panel.bars  # type: ignore[attr-defined]
        ahead = np.r_[np.diff(bars[1].close), 0.0] > 0
        return np.column_stack([bars[0].close > bars[0].open, 0.5 * ahead]).astype(float) / 2

    verdict = prove(answer, panel_of(walk(2, 300), 2))
    assert "exposure of instrument 2" in verdict.summary
