"""The pictures of docs/strategies.md: what each strategy does at its defaults on bars that every machine has, as small SVG.

The text of a picture depends on nothing but the code and the bars, so that a test holds the files to it. Colours are of a
middle tone, which reads on light pages and on dark ones; bought and sold differ in shape and place as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from strategies.contract import Declared, EventStrategy, Panel, PortfolioStrategy, Strategy, validate

if TYPE_CHECKING:
    from collections.abc import Callable

    from marketdata.bars import Bars
    from strategies.engine import Result

BARS: Final = 750  # three years of days
FEE: Final = 0.001
SLIPPAGE: Final = 0.0005
SEED: Final = 20
STEP: Final = 900  # seconds of a simulated bar
MINUTE_ZERO: Final = 1_704_067_200  # 2024-01-01
SIMULATED: Final = "simulated"

# Units of the picture: two for a bar.
WIDTH: Final = 2 * BARS
TOP, PRICE, GAP, EQUITY = 52, 290, 70, 130
HEIGHT: Final = TOP + PRICE + GAP + EQUITY + 6
HALF: Final = 9  # of a mark
GREY, BOUGHT, SOLD, ACCENT, HELD = "#7d8796", "#1f9d63", "#dc4b55", "#7f6df0", "#b3862b"

NAMES: Final = {"AAPL": "Apple", "IBM": "IBM", "MSFT": "Microsoft"}
# What follows trends is shown on a stock that had some, what trades back to a mean on one that mostly went sideways, and what
# works within days on bars of a quarter of an hour, which not every machine has of a real market.
SHOWN_ON: Final = {
    "vwap": (SIMULATED,),
    "bollinger-reversion": ("MSFT",),
    "zscore-reversion": ("MSFT",),
    "grid": (SIMULATED,),
    "dca": ("IBM",),
    "pairs": ("IBM", "MSFT"),
}
ELSE: Final = ("AAPL",)


@dataclass(frozen=True, slots=True)
class Shown:
    """Bars of each leg, and what the strategy made of them."""

    series: tuple[Bars, ...]
    result: Result


def caption(name: str) -> str:
    """Which bars the picture of the strategy called ``name`` is of, Markdown."""
    stocks = SHOWN_ON.get(name, ELSE)
    if stocks == (SIMULATED,):
        of = f"{BARS} simulated bars of 15 minutes (a seeded random walk)"
    else:
        of = f"{' and '.join(NAMES[one] for one in stocks)}, the last {BARS} daily bars of the package bokeh-sampledata"
    which = f"; price and marks are {NAMES[stocks[0]]}'s" if len(stocks) > 1 else ""
    guessed = "; the flow is guessed from the bars" if name == "order-flow" else ""
    return f"*Defaults on {of}{which}{guessed}. ▲ bought, ▼ sold; below, equity against buy and hold (dashed).*"


def shown(strategy: Declared) -> Shown:
    """``strategy`` at its defaults on its bars, with the costs of a large exchange; an event-driven one good for one run."""
    from strategies.engine import Costs, simulate
    from strategies.engine.context import run_events

    series = tuple(bars_of(one) for one in SHOWN_ON.get(strategy.name, ELSE))
    p, costs = validate(strategy, {}), Costs.of(FEE, SLIPPAGE)
    if isinstance(strategy, EventStrategy):
        result = simulate(series[0], intents=run_events(strategy, series[0], p, costs=costs), costs=costs)
    elif isinstance(strategy, PortfolioStrategy):
        result = simulate(series, strategy.signals(Panel(series), p), costs=costs)
    else:
        assert isinstance(strategy, Strategy)
        result = simulate(series[0], strategy.signals(series[0], p), costs=costs)
    return Shown(series, result)


def bars_of(name: str) -> Bars:
    """The newest daily bars of a stock of the package, or simulated ones.

    Raises LookupError where the package is not installed.
    """
    from marketdata.bars import Bars
    from marketdata.providers import sample

    if name == SIMULATED:
        return simulated()
    stock = next((one for one in sample.stocks() if one.ticker == name), None)
    if stock is None:
        raise LookupError(f"the package bokeh-sampledata has no bars of {name} here")
    return Bars.of(stock.bars).tail(BARS)


def simulated() -> Bars:
    """A seeded walk whose drift changes from day to day, on bars of a quarter of an hour."""
    from marketdata.bars import Bars

    random = np.random.default_rng(SEED)
    drift = np.repeat(random.normal(0, 0.0006, BARS // 96 + 1), 96)[:BARS]
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.0022, BARS) + drift))
    start = np.r_[100.0, close[:-1]]
    reach = 1 + np.abs(random.normal(0, 0.0008, (2, BARS)))
    high, low = np.maximum(start, close) * reach[0], np.minimum(start, close) / reach[1]
    time = MINUTE_ZERO + np.arange(BARS, dtype=np.int64) * STEP
    return Bars(time, start, high, low, close, np.round(random.lognormal(3, 0.6, BARS), 3))


def picture(strategy: Declared) -> str:
    """The SVG: price with what was bought and sold, equity with buy and hold below."""
    one = shown(strategy)
    bars, result = one.series[0], one.result
    equity = result.equity / result.assumptions.cash - 1
    held = np.mean([leg.close / leg.open[0] for leg in one.series], axis=0) - 1
    at_price = scale(bars.low.min(), bars.high.max(), TOP, PRICE)
    both = np.r_[equity, held, 0.0]
    at_equity = scale(both.min(), both.max(), TOP + PRICE + GAP, EQUITY)
    own = result.fills[result.fills["instrument"] == 0]
    bought = own["side"] > 0
    zero = at_equity(np.zeros(1))[0]
    told = f"{strategy.label}: {signed(equity[-1])}, buy and hold {signed(held[-1])}"
    text = f'font-family="sans-serif" font-size="26" fill="{GREY}"'
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH // 2}" height="{HEIGHT // 2}"'
            f' viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{told}</title>',
            f'<path fill="none" stroke="{GREY}" stroke-width="2.5" d="{line(at_price(bars.close))}"/>',
            f'<path fill="{BOUGHT}" d="{marks(own["bar"][bought], at_price(bars.low), up=True)}"/>',
            f'<path fill="{SOLD}" d="{marks(own["bar"][~bought], at_price(bars.high), up=False)}"/>',
            f'<path stroke="{GREY}" stroke-opacity=".5" d="M0 {zero}H{WIDTH}"/>',
            f'<path fill="none" stroke="{HELD}" stroke-width="2" stroke-dasharray="7 5" d="{line(at_equity(held), 2)}"/>',
            f'<path fill="none" stroke="{ACCENT}" stroke-width="3.5" d="{line(at_equity(equity), 2)}"/>',
            f'<text x="4" y="26" {text}>{heading(strategy.name, bars)}</text>',
            f'<text x="4" y="{TOP + PRICE + GAP - 10}" {text}>Equity {signed(equity[-1])}, buy and hold {signed(held[-1])}; '
            f"{counted(result)}</text>",
            "</svg>\n",
        )
    )


def scale(low: float, high: float, top: int, height: int) -> Callable[[npt.NDArray[np.float64]], npt.NDArray[np.int64]]:
    """From values to whole units of the picture, downward."""
    size = (height / (high - low)) if high > low else 0.0
    return lambda values: np.rint(top + height - (values - low) * size).astype(np.int64)


def line(heights: npt.NDArray[np.int64], every: int = 1) -> str:
    """A path through the heights, two units a bar; every so many of them alone."""
    chosen = heights[::every].tolist()
    steps = (f"l{2 * every} {after - before}" for before, after in pairwise(chosen))
    return f"M0 {chosen[0]}{''.join(steps)}".replace(" -", "-")


def marks(bars: npt.NDArray[np.int64], heights: npt.NDArray[np.int64], *, up: bool) -> str:
    """A triangle below a low that points up, or above a high that points down, for each of ``bars``."""
    away, back = (HALF, 2 * HALF - 2) if up else (-HALF, 2 - 2 * HALF)
    each = (f"M{2 * bar} {heights[bar] + away}l{HALF} {back}h-{2 * HALF}z" for bar in np.unique(bars).tolist())
    return "".join(each).replace(" -", "-")


def heading(name: str, bars: Bars) -> str:
    """Which price it is; dates are those of a market alone."""
    stock = SHOWN_ON.get(name, ELSE)[0]
    if stock == SIMULATED:
        return "Simulated, 15 minutes a bar"
    first, last = (str(np.datetime64(int(time), "s"))[:10] for time in (bars.time[0], bars.time[-1]))
    return f"{NAMES[stock]}, {first} to {last}"


def counted(result: Result) -> str:
    trades = len(result.trades)
    return f"{trades} trade" if trades == 1 else f"{trades} trades"


def signed(share: float) -> str:
    """+12.3 %, with a true minus."""
    return f"{100 * share:+.1f} %".replace("-", "\u2212")
