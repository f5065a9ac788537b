"""Monte Carlo paths, resampled markets and noise: what stays, what the laws of chance say, and the same seed the same draw."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.bars import Bar, Bars, problem
from strategies.robustness import montecarlo
from strategies.robustness.markets import resample_bars
from strategies.robustness.montecarlo import Method, block_length, simulate_paths, stationary_order
from strategies.robustness.noise import jitter, judge, recent_range
from strategies.robustness.samples import InvalidSample, generator

METHODS: list[Method] = ["shuffle", "resample", "blocks"]


def market(seed: int = 0, n: int = 300) -> Bars:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    open_ = np.concatenate([[100.0], close[:-1]]) * np.exp(rng.normal(0, 0.002, n))
    high = np.maximum(open_, close) * np.exp(rng.exponential(0.003, n))
    low = np.minimum(open_, close) * np.exp(-rng.exponential(0.003, n))
    return Bars(np.arange(n, dtype=np.int64) * 60, open_, high, low, close, rng.integers(0, 5, n) * 1.0)


def drawdown(returns: list[float]) -> float:
    equity = np.concatenate([[1.0], np.cumprod(1 + np.array(returns))])
    return float((1 - equity / np.maximum.accumulate(equity)).max())


def test_a_shuffle_keeps_the_end_and_draws_every_order() -> None:
    trades = [0.5, -0.2, -0.1]
    paths = simulate_paths(trades, method="shuffle", runs=2000, seed=1, cash=100)
    assert paths.final == pytest.approx(np.full(2000, 100 * 1.5 * 0.8 * 0.9))
    possible = sorted({round(drawdown(list(order)), 12) for order in permutations(trades)})
    assert sorted(set(paths.drawdown.round(12))) == possible


def test_a_resample_has_the_mean_that_theory_gives() -> None:
    trades = np.random.default_rng(0).normal(0.01, 0.05, 40)
    paths = simulate_paths(trades, method="resample", runs=20_000, seed=2, cash=1.0)
    factors = 1 + trades
    mean, second = factors.mean() ** 40, (factors**2).mean() ** 40
    assert paths.final.mean() == pytest.approx(mean, abs=4 * math.sqrt((second - mean**2) / 20_000))


def test_blocks_keep_what_neighbours_have_in_common() -> None:
    # Returns that take turns: a day of +1 % is always followed by one of -1 %.
    returns = np.tile([0.01, -0.01], 500)
    single = simulate_paths(returns, method="blocks", block=1, runs=400, seed=0).final
    blocks = simulate_paths(returns, method="blocks", block=50, runs=400, seed=0).final
    assert blocks.std() < single.std() / 3


def test_blocks_have_the_mean_length_asked_for_and_wrap_at_the_end() -> None:
    order = stationary_order(1000, 200_000, 20, generator(0))
    broken = np.diff(order) % 1000 != 1
    assert 1 / broken.mean() == pytest.approx(20, rel=0.05)
    assert np.bincount(order, minlength=1000).min() > 0
    assert block_length(1000) == 10


def test_the_walk_worked_by_hand() -> None:
    paths = simulate_paths([-0.5], method="resample", length=3, runs=1, cash=100)
    assert (paths.final[0], paths.drawdown[0], paths.lowest[0]) == (12.5, 0.875, 12.5)
    assert paths.fan[:, 0].tolist() == [100.0] * 7
    assert paths.fan[:, -1].tolist() == [12.5] * 7


def test_what_loses_everything_stays_at_nothing() -> None:
    paths = simulate_paths([-1.5, 0.3], method="shuffle", runs=20, cash=100)
    assert paths.final.tolist() == [0.0] * 20
    assert paths.drawdown.tolist() == [1.0] * 20
    assert paths.risk_of_ruin(1.0) == 1.0


def test_the_risk_of_ruin_of_a_coin_is_the_gambler_s() -> None:
    # Ten per cent won or lost at even odds: the chance to be ever at half within 60 throws, by counting paths.
    levels: dict[tuple[int, bool], float] = {(0, False): 1.0}
    for step in range(60):
        after: dict[tuple[int, bool], float] = {}
        for (wins, ruined), chance in levels.items():
            for won in (wins, wins + 1):
                equity = 1.1**won * 0.9 ** (step + 1 - won)
                state = (won, ruined or equity <= 0.5)
                after[state] = after.get(state, 0) + chance / 2
        levels = after
    exact = sum(chance for (_, ruined), chance in levels.items() if ruined)
    paths = simulate_paths([0.1, -0.1], method="resample", length=60, runs=20_000, seed=4)
    assert paths.risk_of_ruin(0.5) == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 20_000))


@pytest.mark.parametrize("method", METHODS)
def test_one_seed_is_one_set_of_paths_and_more_runs_only_add(method: Method) -> None:
    returns = np.random.default_rng(0).normal(0, 0.02, 50)
    few = simulate_paths(returns, method=method, runs=20, seed=9)
    many = simulate_paths(returns, method=method, runs=50, seed=9)
    assert many.drawdown[:20].tolist() == few.drawdown.tolist()
    assert simulate_paths(returns, method=method, runs=20, seed=10).drawdown.tolist() != few.drawdown.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_how_the_runs_are_cut_into_chunks_changes_nothing(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    returns = np.random.default_rng(0).normal(0, 0.02, 50)
    whole = simulate_paths(returns, method=method, runs=20, seed=9)
    monkeypatch.setattr(montecarlo, "CHUNK_CELLS", 150)
    assert simulate_paths(returns, method=method, runs=20, seed=9).drawdown.tolist() == whole.drawdown.tolist()


def test_quantiles_are_ordered_and_told_as_json() -> None:
    told = simulate_paths(np.random.default_rng(0).normal(0, 0.02, 500), method="blocks", runs=100).to_json()
    assert list(told["quantiles"]["final"].values()) == sorted(told["quantiles"]["final"].values())
    assert len(told["fan"]["0.5"]) == 101


@pytest.mark.parametrize(
    "arguments",
    [
        {"returns": []},
        {"returns": [math.nan]},
        {"runs": 0},
        {"cash": 0},
        {"method": "guess"},
        {"length": 7},
        {"method": "blocks", "block": 0.5},
    ],
)
def test_paths_that_cannot_be_drawn_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidSample):
        simulate_paths(**({"returns": [0.1, 0.2], "method": "shuffle"} | arguments))  # type: ignore[arg-type]


def all_are_bars(bars: Bars) -> bool:
    return all(problem(Bar(*row)) is None for row in bars.rows())


@given(st.integers(0, 2**31), st.floats(1, 60))
def test_a_resampled_market_is_a_market_of_the_same_bars(seed: int, block: float) -> None:
    bars = market()
    other = resample_bars(bars, seed=seed, block=block)
    assert all_are_bars(other)
    assert other.time is bars.time
    moves = np.diff(np.log(np.concatenate([bars.open[:1], bars.close])))
    drawn = np.diff(np.log(np.concatenate([other.open[:1], other.close])))
    nearest = np.abs(moves[None, :] - drawn[:, None])[1:].min(axis=1)
    assert nearest.max() < 1e-9, "a close moved as no bar of the true market did"


def test_one_whole_block_is_the_market_turned_and_the_seed_names_it() -> None:
    bars = market()
    turned = resample_bars(bars, seed=1, block=1e9)
    span = np.log(bars.high / bars.low)
    begin = int(np.abs(span - np.log(turned.high / turned.low)[0]).argmin())
    assert np.log(turned.high / turned.low) == pytest.approx(np.roll(span, -begin))
    assert resample_bars(bars, seed=1, run=3).close.tolist() == resample_bars(bars, seed=1, run=3).close.tolist()
    assert resample_bars(bars, seed=1, run=3).close.tolist() != resample_bars(bars, seed=1, run=4).close.tolist()


@given(st.integers(0, 2**31), st.floats(0, 1))
def test_noise_leaves_bars_bars(seed: int, scale: float) -> None:
    noisy = jitter(market(), seed=seed, scale=scale, volume_scale=0.3)
    assert all_are_bars(noisy)


def test_noise_has_the_size_asked_for_and_does_not_accumulate() -> None:
    bars = market(n=20_000)
    shift = np.log(jitter(bars, seed=0, scale=0.1).close / bars.close)
    sizes = shift / recent_range(bars.high, bars.low, bars.close)
    assert sizes.std() == pytest.approx(0.1, rel=0.03)
    assert abs(shift[10_000:].std() / shift[:10_000].std() - 1) < 0.1
    assert abs(np.corrcoef(shift[1:], shift[:-1])[0, 1]) < 0.03


def test_no_noise_changes_nothing_and_a_still_market_stays_still() -> None:
    bars = market()
    same = jitter(bars, seed=5, scale=0)
    assert all((a == b).all() for a, b in zip(bars.columns, same.columns, strict=True))
    flat = Bars(bars.time, *[np.full(300, 7.0)] * 4, bars.volume)
    assert (jitter(flat, seed=5, scale=1).close == 7.0).all()
    assert (jitter(bars, seed=5, volume_scale=1).volume[bars.volume == 0] == 0).all()


def test_the_seed_and_the_run_name_the_noise() -> None:
    bars = market()
    assert (jitter(bars, seed=5, run=1).open == jitter(bars, seed=5, run=1).open).all()
    assert (jitter(bars, seed=5, run=1).open != jitter(bars, seed=5, run=2).open).all()


def test_a_result_under_noise_is_judged_by_what_is_kept() -> None:
    outcome = judge(2.0, [1.0, 1.5, 2.0, 2.5, 0.5])
    assert (outcome.median, outcome.kept, outcome.worse, outcome.rank) == (1.5, 0.75, 0.4, 0.6)
    assert math.isnan(judge(-1.0, [0.5]).kept)


@pytest.mark.parametrize("arguments", [{"scale": -0.1}, {"scale": 1.1}, {"volume_scale": 2}])
def test_noise_out_of_range_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(InvalidSample):
        jitter(market(), seed=0, **arguments)


def test_prices_of_nothing_are_refused() -> None:
    bars = market()
    bad = Bars(bars.time, bars.open, bars.high, np.zeros(300), bars.close, bars.volume)
    with pytest.raises(InvalidSample):
        jitter(bad, seed=0)
    with pytest.raises(InvalidSample):
        resample_bars(bad, seed=0)
