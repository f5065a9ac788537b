"""What holds for every indicator of the registry, whatever it computes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.indicators.arrays import IndicatorError
from marketdata.indicators.registry import INDICATORS, Spec, compute, detect, history, latest, make_spec, parse_spec, zones
from tests.marketdata.indicators.series import Bars, part, recorded, seed_of, walk

NAMES = tuple(INDICATORS)
# Besides the defaults: settings at which what an indicator remembers is most different.
OTHERS = (
    "ema(2)", "ema(100)", "dema(50)", "tema(50)", "tema(200)", "kama(2)", "hma(7)", "smma(50)", "rsi(2)", "rsi(200)",
    "macd(3,10,30)", "stochrsi(7,30,1,5)", "atr(50)", "keltner(10,40,1.5)", "adx(5)", "adx(40)", "adx(100)", "psar(0.005,0.05)",
    "psar(0.1,1)", "supertrend(2,1)", "supertrend(40,5)", "ichimoku(5,10,20,1)", "trend_start(5,30,10,15,1)",
    "obv(day)", "obv(week)", "obv(month)", "vwap(week,300,1)", "vwap(month,0,2)", "volume_profile(week,0.1)",
    "linreg_channel(3,1)", "hurst(32)", "structure(1,60)", "structure(10,200)", "order_blocks(2,0.5,80)",
    "order_blocks(3,0,60)", "fair_value_gaps(0.1,0.5,60)", "fair_value_gaps(0,0,60)", "liquidity_sweeps(2,60)",
)  # fmt: skip
SPECS = tuple(str(make_spec(name)) for name in NAMES) + OTHERS
HOUR = 3600
SCALES = {"price": 1, "volume": 2, "index": 0, "code": 0, "bars": 0}
EVERY = pytest.mark.parametrize("text", SPECS)


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for name, values in a.items():
        np.testing.assert_array_equal(values, b[name], err_msg=name)


def sizes(values: dict[str, np.ndarray]) -> dict[str, float]:
    """The usual size of each output, against which a difference near zero is judged."""
    return {
        name: float(np.median(np.abs(line[~np.isnan(line)]))) if (~np.isnan(line)).any() else 0.0
        for name, line in values.items()
    }


def agrees(tail: dict[str, np.ndarray], whole: dict[str, np.ndarray], size: dict[str, float], at: int) -> bool:
    for name, line in whole.items():
        a, b = float(tail[name][-1]), float(line[at])
        if np.isnan(a) != np.isnan(b):
            return False
        if not np.isnan(b) and abs(a - b) > 1e-9 * max(abs(b), size[name]):
            return False
    return True


def least_history(spec: Spec, bars: Bars, whole: dict[str, np.ndarray], at: int, declared: int) -> int | None:
    """The least number of bars whose newest value is that of the whole series at ``at``; None if ``declared`` is not enough."""
    size = sizes(whole)

    def enough(count: int) -> bool:
        return agrees(compute(spec, part(bars, max(0, at + 1 - count), at + 1)), whole, size, at)

    if not enough(declared):
        return None
    low, high = 0, declared
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def held_history(spec: Spec, bars: Bars, seconds: int, places: int) -> int:
    """The least history found at ``places`` bars of a series; fails where the declared one is not enough."""
    declared = history(spec, seconds)
    assert declared is not None
    whole, rng, found = compute(spec, bars), np.random.default_rng(seed_of(str(spec))), 0
    for at in rng.integers(min(declared + 1, len(bars.close) - places), len(bars.close), places):
        least = least_history(spec, bars, whole, int(at), declared)
        assert least is not None, f"{spec} differs at bar {at} from its tail of {declared} bars"
        found = max(found, least)
    return found


def remembers(text: str) -> bool:
    return history(text) is not None


@EVERY
def test_a_value_knows_no_later_bar(text: str) -> None:
    bars = walk(seed=3, length=1500)
    whole = compute(text, bars)
    for stop in (1, 2, 17, 60, 250, 777, 1499):
        same(compute(text, part(bars, 0, stop)), {name: line[:stop] for name, line in whole.items()})


@EVERY
@pytest.mark.recorded
def test_a_value_on_recorded_bars_knows_no_later_bar(text: str) -> None:
    bars = recorded("BTC_USDT-1h")
    whole = compute(text, bars)
    for stop in (100, 1234, 3001, 5979):
        same(compute(text, part(bars, 0, stop)), {name: line[:stop] for name, line in whole.items()})


@EVERY
def test_noise_in_the_future_changes_nothing_before_it(text: str) -> None:
    bars, rng = walk(seed=5, length=900), np.random.default_rng(9)
    prices = np.sort(rng.uniform(10_000, 90_000, (3, 400)), axis=0)
    poisoned = Bars(
        bars.time,
        *(
            np.concatenate((column[:500], future))
            for column, future in zip(bars[1:], (prices[1], prices[2], prices[0], prices[1], rng.random(400)), strict=True)
        ),
    )
    clean, noisy = compute(text, bars), compute(text, poisoned)
    same({name: line[:500] for name, line in clean.items()}, {name: line[:500] for name, line in noisy.items()})


@pytest.mark.parametrize("text", [text for text in SPECS if remembers(text)])
def test_the_tail_of_a_random_series_gives_what_the_whole_gives(text: str) -> None:
    spec = parse_spec(text)
    for seed, volatility in ((11, 0.002), (12, 0.02)):
        bars = walk(seed=seed, length=9000, volatility=volatility)
        held_history(spec, bars, HOUR, 12)


@pytest.mark.parametrize("text", [text for text in SPECS if remembers(text)])
@pytest.mark.recorded
def test_the_tail_of_a_recorded_series_gives_what_the_whole_gives(text: str) -> None:
    spec = parse_spec(text)
    held_history(spec, recorded("BTC_USDT-5m", 12_000), 300, 8)
    held_history(spec, recorded("XRP_USDT-1h"), HOUR, 8)


@pytest.mark.parametrize("text", [text for text in SPECS if INDICATORS[parse_spec(text).name].memory == "reset"])
def test_runs_of_an_indicator_that_reverses_fall_together_well_before_its_history(text: str) -> None:
    spec = parse_spec(text)
    needed = max(held_history(spec, walk(seed=seed, length=12_000), HOUR, 150) for seed in (21, 22))
    assert 2 * needed <= (history(spec) or 0)


@pytest.mark.parametrize(
    "text",
    [
        text
        for text in SPECS
        if INDICATORS[parse_spec(text).name].memory == "window" and "memory" not in parse_spec(text).params
    ],
)
def test_a_window_is_declared_no_longer_than_it_is(text: str) -> None:
    """With a few bars of rounding up for sums of windows."""
    found = held_history(parse_spec(text), walk(seed=13), HOUR, 25)
    assert found >= (history(text) or 0) - 3


def test_only_volume_over_the_whole_series_needs_the_whole_series() -> None:
    assert [name for name in NAMES if history(name) is None] == ["obv"]


@EVERY
def test_multiplying_prices_or_volume_by_a_power_of_two_only_changes_the_unit(text: str) -> None:
    """Thresholds in absolute numbers would show: coins trade from 1e-8 to 1e5, in volumes from 1e-6 to 1e12."""
    bars, entry = walk(seed=6, length=1200), INDICATORS[parse_spec(text).name]
    plain = compute(text, bars)
    units = {output.name: SCALES[output.unit] for output in entry.outputs}
    for price, volume in ((2.0**-40, 1.0), (1.0, 2.0**-30), (2.0**20, 2.0**30)):
        other = Bars(bars.time, *(column * price for column in bars[1:5]), bars.volume * volume)
        for name, line in compute(text, other).items():
            factor = (1.0, price, volume)[units[name]]
            np.testing.assert_allclose(line, plain[name] * factor, rtol=1e-9, atol=1e-9 if factor == 1.0 else 0, err_msg=name)


@EVERY
def test_every_output_is_as_long_as_the_series_and_never_infinite(text: str) -> None:
    outputs = [output.name for output in INDICATORS[parse_spec(text).name].outputs]
    for bars in (part(walk(), 0, 0), part(walk(), 0, 1), part(walk(), 0, 2), part(walk(), 0, 40), walk()):
        values = compute(text, bars)
        assert list(values) == outputs
        for line in values.values():
            assert line.dtype == np.float64
            assert line.shape == bars.close.shape
            assert not np.isinf(line).any()


@pytest.mark.parametrize("name", NAMES)
def test_an_indicator_has_values_on_a_long_series(name: str) -> None:
    for output, line in compute(name, walk()).items():
        if output not in ("swept_high", "swept_low", "broken_age"):
            assert not np.isnan(line[-1000:]).all(), output


@pytest.mark.parametrize("name", NAMES)
def test_a_price_that_never_moves_gives_no_error_and_no_infinity(name: str) -> None:
    still = np.full(800, 7.25)
    bars = Bars(walk().time[:800], still, still, still, still, np.zeros(800))
    for line in compute(name, bars).values():
        assert not np.isinf(line).any()
    detect(name, bars)
    zones(name, bars)


@pytest.mark.parametrize("name", NAMES)
def test_bars_that_cannot_be_written_to_are_taken_and_left_alone(name: str) -> None:
    bars = part(walk(), 0, 600)
    before = [column.copy() for column in bars]
    for column in bars:
        column.flags.writeable = False
    compute(name, bars)
    detect(name, bars)
    zones(name, bars)
    for column, kept in zip(bars, before, strict=True):
        np.testing.assert_array_equal(column, kept)


@pytest.mark.parametrize("name", NAMES)
def test_a_hole_in_an_input_is_refused_by_name(name: str) -> None:
    for column in INDICATORS[name].inputs:
        if column == "time":
            continue
        holed = getattr(walk(), column).copy()
        holed[700] = np.nan
        with pytest.raises(IndicatorError, match=f"{column} must hold finite numbers, has nan at index 700"):
            compute(name, walk()._replace(**{column: holed}))


@pytest.mark.parametrize("name", [name for name in NAMES if len(INDICATORS[name].inputs) > 1])
def test_inputs_of_different_lengths_are_refused(name: str) -> None:
    column = INDICATORS[name].inputs[-1]
    with pytest.raises(IndicatorError, match="must be as long as"):
        compute(name, walk()._replace(**{column: getattr(walk(), column)[:-1]}))


@EVERY
def test_signals_at_a_bar_know_no_later_bar(text: str) -> None:
    bars = walk(seed=8, length=1500)
    whole = detect(text, bars)
    assert list(whole) == sorted(whole, key=lambda signal: signal.index)
    for stop in (300, 900, 1311):
        assert detect(text, part(bars, 0, stop)) == tuple(signal for signal in whole if signal.index < stop)


@pytest.mark.parametrize("text", [text for text in SPECS if INDICATORS[parse_spec(text).name].zones])
def test_zones_are_known_when_confirmed_and_ended_when_ended(text: str) -> None:
    bars = walk(seed=8, length=1500)
    whole = zones(text, bars)
    assert whole
    for stop in (300, 900, 1311):
        then = zones(text, part(bars, 0, stop))
        known = [zone for zone in whole if zone.confirmed < stop]
        assert len(then) == len(known)
        for early, late in zip(then, known, strict=True):
            assert (early.start, early.confirmed, early.top, early.bottom, early.direction) == (
                late.start, late.confirmed, late.top, late.bottom, late.direction,
            )  # fmt: skip
            if late.end is not None and late.end < stop:
                assert (early.end, early.outcome) == (late.end, late.outcome)
            else:
                assert early.end is None


@EVERY
def test_the_latest_values_are_those_of_the_whole_series(text: str) -> None:
    bars = walk(seed=14, length=9000)
    whole = compute(text, bars)
    size = sizes(whole)
    newest = latest(text, bars, count=3, bar_seconds=HOUR)
    for back in range(3):
        assert agrees({name: line[: 3 - back] for name, line in newest.items()}, whole, size, len(bars.close) - 1 - back)


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(NAMES), seed=st.integers(0, 2**32), data=st.data())
def test_any_parameters_and_any_cut_give_the_same_prefix(name: str, seed: int, data: st.DataObject) -> None:
    entry = INDICATORS[name]
    given_values: dict[str, object] = {}
    for parameter in entry.parameters:
        if parameter.kind == "choice":
            given_values[parameter.name] = data.draw(st.sampled_from(parameter.choices))
        elif parameter.kind == "int":
            given_values[parameter.name] = data.draw(st.integers(int(parameter.minimum or 0), int(parameter.maximum or 0)))
        else:
            given_values[parameter.name] = data.draw(st.floats(parameter.minimum, parameter.maximum))
    try:
        spec = make_spec(name, given_values)
    except IndicatorError as error:
        assert "must be below" in str(error)  # noqa: PT017
        return
    bars = walk(seed=seed % 7, length=600)
    stop = data.draw(st.integers(0, 600))
    same(compute(spec, part(bars, 0, stop)), {key: line[:stop] for key, line in compute(spec, bars).items()})
    assert parse_spec(str(spec)) == spec
