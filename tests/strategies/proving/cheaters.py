"""Strategies that know what they could not: each a file as a user would write it, with the check that must catch it.

``LINE`` marks the line that cheats. They are written against the contract, so that the sandbox can run them too.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

HEAD = """
import numpy as np
import pandas as pd
from strategies.contract import EventStrategy, PortfolioStrategy, Signals, Strategy

KEPT = {}
SEEN = {}

class Cheater(BASE):
    name, label, summary = "cheater", "Cheater", "Cheats."

    def history(self, p):
        return 20

"""


@dataclass(frozen=True)
class Cheater:
    """``caught`` by these checks, at least; ``style`` is the base class."""

    name: str
    code: str
    caught: tuple[str, ...]
    line: int | None
    style: str


CHEATERS: dict[str, Cheater] = {}


def cheater(name: str, body: str, caught: str = "prefix", style: str = "Strategy") -> None:
    head = {"EventStrategy": "def on_bar(self, ctx):", "PortfolioStrategy": "def signals(self, panel, p):"}
    body = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
    code = f"{HEAD.replace('BASE', style)}    {head.get(style, 'def signals(self, bars, p):')}\n{body}\n"
    lines = [number for number, line in enumerate(code.split("\n"), start=1) if "# LINE" in line]
    CHEATERS[name] = Cheater(name, code, tuple(caught.split()), lines[0] if lines else None, style)


# fmt: off
# -- values of later bars ----------------------------------------------------------------------------------------------

cheater("tomorrow's open at today's close", """
    ahead = np.append(bars.open[1:], bars.close[-1])  # LINE
    return np.where(ahead > bars.close, 1.0, 0.0)
""", "prefix poison")
cheater("negative shift", """
    close = pd.Series(bars.close)
    moves = close.shift(-1) - close  # LINE
    return (moves > 0).to_numpy().astype(float)
""", "prefix poison")
cheater("negative shift by five", """
    close = pd.Series(bars.close)
    later = close.shift(periods=-5).ffill()  # LINE
    return np.sign((later - close).fillna(0).to_numpy())
""", "prefix poison")
cheater("roll", """
    moves = np.roll(bars.close, -1) - bars.close  # LINE
    return np.where(moves > 0, 1.0, -1.0)
""", "prefix poison")
cheater("roll that wraps the end around", """
    before = np.roll(bars.close, 30)  # LINE
    return np.where(bars.close > before, 1.0, 0.0)
""")
cheater("percentage change backwards", """
    later = pd.Series(bars.close).pct_change(-3)  # LINE
    return (later < 0).to_numpy().astype(float)
""", "prefix poison")
cheater("slices written one bar early", """
    out = np.zeros(len(bars))
    out[:-1] = np.sign(bars.close[1:] - bars.close[:-1])  # LINE
    return out
""", "prefix poison")
cheater("a loop that reads the next bar", """
    out = np.zeros(len(bars))
    for i in range(len(bars) - 1):
        if bars.low[i + 1] > bars.low[i]:  # LINE
            out[i] = 1.0
    return out
""", "prefix poison")
cheater("seldom: only before a crash", """
    close = pd.Series(bars.close)
    average = close.rolling(20, min_periods=1).mean()
    out = (close > average).to_numpy().astype(float)
    worst = close.shift(-1) / close - 1  # LINE
    out[(worst < -0.02).to_numpy()] = -1.0
    return out
""")
cheater("a stop that knows the next low", """
    close = pd.Series(bars.close)
    up = (close > close.rolling(10, min_periods=1).mean()).to_numpy().astype(float)
    lows = pd.Series(bars.low)
    stop = lows.shift(-1).fillna(lows) * 0.999  # LINE
    return Signals(up, stop=stop.to_numpy())
""", "prefix poison")

# -- statistics of the whole series --------------------------------------------------------------------------------------

cheater("mean of the whole series", """
    return np.where(bars.close < bars.close.mean(), 1.0, 0.0)  # LINE
""", "prefix poison")
cheater("z-score of the whole series", """
    returns = np.diff(np.log(bars.close), prepend=np.log(bars.close[0]))
    score = (returns - np.mean(returns)) / np.std(returns)  # LINE
    return np.clip(-score / 4, -1, 1)
""", "prefix poison")
cheater("highest and lowest of all", """
    span = (bars.close - bars.low.min()) / (bars.high.max() - bars.low.min())  # LINE
    return np.where(span < 0.3, 1.0, 0.0)
""")
cheater("percentile over all", """
    limit = np.percentile(bars.volume, 80)  # LINE
    return np.where(bars.volume > limit, 1.0, 0.0)
""")
cheater("argmax over all", """
    top = int(np.argmax(bars.close))  # LINE
    out = np.ones(len(bars))
    out[top:] = -1.0
    return out
""")
cheater("rank among all", """
    rank = pd.Series(bars.close).rank(pct=True)  # LINE
    return (rank < 0.3).to_numpy().astype(float)
""")
cheater("sorting", """
    order = np.argsort(bars.close)  # LINE
    out = np.zeros(len(bars))
    out[order[: len(bars) // 4]] = 1.0
    return out
""")
cheater("a line fitted on all bars", """
    x = np.arange(len(bars), dtype=float)
    slope, level = np.polyfit(x, bars.close, 1) if len(bars) > 1 else (0.0, bars.close[0])  # LINE
    return np.where(bars.close < slope * x + level, 1.0, 0.0)
""")
cheater("a model trained on all bars", """
    close = pd.Series(bars.close)
    x = np.column_stack([close.pct_change(k).fillna(0) for k in (1, 2, 5)])
    y = close.pct_change().shift(-1).fillna(0).to_numpy()
    weights, *_ = np.linalg.lstsq(x, y, rcond=None)
    return np.where(x @ weights > 0, 1.0, 0.0)
""")
cheater("the best parameter of all bars", """
    close = pd.Series(bars.close)
    best = None
    for window in (5, 10, 20, 40):
        out = (close > close.rolling(window, min_periods=1).mean()).to_numpy().astype(float)
        profit = float((out[:-1] * np.diff(bars.close)).sum())
        if best is None or profit > best[0]:
            best = (profit, out)
    return best[1]
""")
cheater("mean of the day it is in", """
    frame = pd.DataFrame({"day": bars.time // 86400, "close": bars.close})
    mean = frame.groupby("day")["close"].transform("mean")  # LINE
    return (frame["close"] < mean).to_numpy().astype(float)
""")
cheater("cumulative from the end", """
    rest = np.cumsum(bars.volume[::-1])[::-1]  # LINE
    return np.where(rest > bars.volume.sum() / 2, 1.0, 0.0)
""")
cheater("highest from here to the end", """
    later = np.maximum.accumulate(bars.high[::-1])[::-1]  # LINE
    return np.where(bars.close < 0.97 * later, 1.0, 0.0)
""")

# -- filters and windows -------------------------------------------------------------------------------------------------

cheater("centred rolling mean", """
    close = pd.Series(bars.close)
    smooth = close.rolling(21, center=True, min_periods=1).mean()  # LINE
    return (close < smooth).to_numpy().astype(float)
""")
cheater("centred convolution", """
    smooth = np.convolve(bars.close, np.ones(9) / 9, mode="same")[: len(bars)]  # LINE
    return np.where(bars.close < smooth, 1.0, 0.0)
""")
cheater("FFT low-pass", """
    spectrum = np.fft.rfft(bars.close)  # LINE
    spectrum[len(spectrum) // 10 :] = 0
    smooth = np.fft.irfft(spectrum, len(bars)) if len(bars) > 1 else bars.close
    return np.where(bars.close < smooth, 1.0, 0.0)
""")
cheater("Savitzky–Golay", """
    from scipy.signal import savgol_filter
    if len(bars) < 11:
        return np.zeros(len(bars))
    slope = savgol_filter(bars.close, 11, 2, deriv=1)  # LINE
    return np.where(slope > 0, 1.0, 0.0)
""")
cheater("forwards and backwards filter", """
    from scipy.signal import butter, filtfilt
    if len(bars) < 20:
        return np.zeros(len(bars))
    smooth = filtfilt(*butter(2, 0.1), bars.close)  # LINE
    return np.where(np.gradient(smooth) > 0, 1.0, 0.0)
""")
cheater("exponential mean from the end", """
    later = pd.Series(bars.close[::-1]).ewm(span=10).mean().to_numpy()[::-1]  # LINE
    return np.where(later > bars.close, 1.0, 0.0)
""")
cheater("turning points", """
    close = bars.close
    out = np.zeros(len(bars))
    for i in range(2, len(bars) - 2):
        if close[i] == close[i - 2 : i + 3].min():  # LINE
            out[i] = 1.0
    return out
""")

# -- gaps, resampling, higher timeframes ---------------------------------------------------------------------------------

cheater("backward fill of NaN", """
    close = pd.Series(bars.close)
    signal = pd.Series(np.nan, index=close.index)
    signal[::7] = (close > close.shift(7))[::7].astype(float)
    return signal.bfill().fillna(0).to_numpy()  # LINE
""")
cheater("interpolation", """
    sparse = pd.Series(bars.close)
    sparse[np.arange(len(bars)) % 10 != 0] = np.nan
    smooth = sparse.interpolate()  # LINE
    return (smooth.diff() > 0).to_numpy().astype(float)
""")
cheater("an hour seen before its close", """
    hour = bars.time // 3600
    last = pd.Series(bars.close).groupby(hour).transform("last")  # LINE
    return (last > bars.close).to_numpy().astype(float)
""")
cheater("a higher timeframe seen before its close", """
    from strategies.higher import Higher
    hours = Higher(bars, "1h")
    place = np.searchsorted(hours.bars.time, bars.time, side="right") - 1  # LINE
    close = np.append(hours.bars.close, np.nan)[place]
    return np.where(close > bars.close, 1.0, 0.0)
""")
cheater("the higher bar after the newest that has closed", """
    from strategies.higher import Higher
    hours = Higher(bars, "1h")
    close = np.append(hours.bars.close, [np.nan, np.nan])
    return np.where(close[hours.newest + 1] > bars.close, 1.0, 0.0)  # LINE
""")
cheater("resample labelled left", """
    index = pd.to_datetime(bars.time, unit="s")
    close = pd.Series(bars.close, index=index)
    hours = close.resample("1h").last()  # LINE
    known = hours.reindex(index, method="ffill")
    return (known > close).to_numpy().astype(float)
""")
cheater("a day's range on every bar of the day", """
    day = bars.time // 86400
    _, place = np.unique(day, return_inverse=True)
    high = np.zeros(place.max() + 1)
    np.maximum.at(high, place, bars.high)
    return np.where(bars.close < 0.995 * high[place], 1.0, 0.0)
""")

# -- the end of the series -----------------------------------------------------------------------------------------------

cheater("compared with the last close", """
    return np.where(bars.close < bars.close[-1], 1.0, 0.0)  # LINE
""", "prefix poison last-bar")
cheater("the time of the last bar", """
    left = bars.time[-1] - bars.time  # LINE
    return np.where(left > 86400, 1.0, 0.0)
""")
cheater("the number of bars", """
    out = np.zeros(len(bars))
    out[: len(bars) // 2] = 1.0  # LINE
    return out
""")
cheater("flat at the end", """
    out = (bars.close > np.r_[bars.close[:1], bars.close[:-1]]).astype(float)
    out[-5:] = 0.0
    return out
""")

# -- chance, memory, behind the arrays -------------------------------------------------------------------------------------

cheater("random without a seed", """
    return (np.random.default_rng().random(len(bars)) > 0.5).astype(float)  # LINE
""", "repeat")
cheater("the clock", """
    import time
    phase = time.perf_counter_ns() % 100_000 / 100_000  # LINE
    return np.where(bars.close > bars.open, phase, 0.0)
""", "repeat")
cheater("the time zone of the machine", """
    import datetime
    hours = [datetime.datetime.fromtimestamp(int(t)).hour for t in bars.time]  # LINE
    return np.array([1.0 if 8 <= hour < 16 else 0.0 for hour in hours])
""", "elsewhere")
cheater("state on the class", """
    calls = getattr(Cheater, "calls", 0) + 1
    Cheater.calls = calls  # LINE
    return np.where(bars.close > bars.open, 1.0 if calls % 3 else 0.5, 0.0)
""", "repeat")
cheater("state on the instance", """
    self.best = max(getattr(self, "best", 0.0), bars.high.max())  # LINE
    return np.where(bars.close < 0.8 * self.best, 1.0, 0.0)
""", "prefix memory")
cheater("a diary of all that it has seen", """
    for t, close in zip(bars.time.tolist(), bars.close.tolist()):
        SEEN[t] = close  # LINE
    step = 900
    known = np.array([SEEN.get(t + step, 0.0) for t in bars.time.tolist()])
    return np.where(known > bars.close, 1.0, 0.0)
""", "prefix memory")
cheater("a cache by identity", """
    key = (id(bars.close), len(bars))  # LINE
    if key not in KEPT:
        KEPT[key] = (bars, (bars.close > np.r_[bars.close[:1], bars.close[:-1]]).astype(float))
    return KEPT[key][1]
""", "memory")
cheater("a cache by the first bar's time", """
    key = int(bars.time[0])
    known = KEPT.get(key)
    if known is None or len(known) < len(bars):
        later = np.append(bars.close[1:], 0.0)  # LINE
        KEPT[key] = (later > bars.close).astype(float)
    return KEPT[key][: len(bars)].copy()
""", "prefix")
cheater("what lies behind a view", """
    whole = bars.close if bars.close.base is None else bars.close.base  # LINE
    n = len(bars)
    later = whole[1 : n + 1] if len(whole) > n else np.append(bars.close[:-1], bars.close[-1])
    if len(whole) == n:
        return (bars.close > bars.open).astype(float)
    return (later > bars.close).astype(float)
""", "hidden")
cheater("it changes the bars", """
    bars.close[:] = np.maximum(bars.close, bars.open)  # LINE
    return (bars.close > bars.open).astype(float)
""", "repeat")
cheater("more history than it declares", """
    close = pd.Series(bars.close)
    slow = close.rolling(200).mean()
    return (close > slow).to_numpy().astype(float)
""", "history")
cheater("a sum that never forgets", """
    flow = np.cumsum(np.sign(bars.close - bars.open) * bars.volume)
    return np.where(flow > 0, 1.0, -1.0)
""", "history")

# -- portfolios ------------------------------------------------------------------------------------------------------------

cheater("the other leg's next bar", """
    other = panel.bars[1].close
    moves = np.append(np.diff(other), 0.0)  # LINE
    return np.column_stack([np.where(moves > 0, 0.5, 0.0), np.zeros(len(other))])
""", "prefix poison", "PortfolioStrategy")
cheater("hedge ratio of all bars", """
    first, second = (np.log(bars.close) for bars in panel.bars)
    if len(first) < 3:
        return np.zeros((len(first), 2))
    slope, level = np.polyfit(second, first, 1)  # LINE
    gap = first - slope * second - level
    side = np.where(gap > 0, -0.5, 0.5)
    return np.column_stack([side, -side])
""", "prefix", "PortfolioStrategy")

# -- event-driven ----------------------------------------------------------------------------------------------------------

cheater("behind the context", """
    later = ctx._bars.close  # LINE
    if ctx.index + 1 < len(later) and later[ctx.index + 1] > 1.004 * ctx.close and ctx.position == 0:
        ctx.target(0.9)
    elif ctx.position:
        ctx.close_position()
""", "prefix", "EventStrategy")
cheater("behind the views of the context", """
    whole = ctx.bars.close.base  # LINE
    if whole is None or ctx.index + 1 >= len(whole):
        return
    if whole[ctx.index + 1] > 1.004 * ctx.close and ctx.position == 0:
        ctx.target(0.9)
    elif ctx.position:
        ctx.close_position()
""", "prefix", "EventStrategy")
cheater("a stop below the next low", """
    series = ctx._series  # LINE
    if ctx.position == 0 and ctx.close > ctx.open and ctx.index + 1 < len(series.low):
        ctx.buy(1, stop_loss=float(series.low[ctx.index + 1, 0]) * 0.999)
    elif ctx.position and ctx.index % 7 == 0:
        ctx.cancel_all()
        ctx.close_position()
""", "prefix poison", "EventStrategy")
cheater("state kept between runs", """
    seen = SEEN.setdefault("high", [])
    if ctx.index == 0 and seen:
        Cheater.top = max(seen)  # LINE
    seen.append(ctx.high)
    top = getattr(Cheater, "top", 1e18)
    if ctx.high >= top and ctx.position:
        ctx.close_position()
    elif ctx.index % 10 == 0 and ctx.position == 0:
        ctx.target(0.9)
""", "prefix memory", "EventStrategy")
cheater("random orders", """
    if np.random.default_rng().random() < 0.1:  # LINE
        ctx.target(0.5 if ctx.position == 0 else 0.0)
""", "repeat", "EventStrategy")
cheater("more of the past than it declares", """
    close = ctx.bars.close
    if len(close) > 60 and ctx.close > close[-60:].mean() and ctx.position == 0:
        ctx.target(0.9)
    elif ctx.position and ctx.close < ctx.open:
        ctx.close_position()
""", "history", "EventStrategy")
