"""Owns docs/strategies.md: how a strategy is written, and a section for each of the catalogue, made from what it declares.

``python -m strategies.library.documentation`` prints it; with a folder, as in ``… docs``, it writes the page there, and the
pictures below it.
"""

from __future__ import annotations

import sys
from inspect import getdoc
from pathlib import Path
from typing import Final

from strategies.contract import Declared, EventStrategy, Parameter, PortfolioStrategy, Strategy, validate
from strategies.library import CATALOGUE, LIBRARY, find
from strategies.library.pictures import FEE, SLIPPAGE, caption

PICTURES: Final = "images/strategies"

PREFACE: Final = f"""# Strategies

Made by `python -m strategies.library.documentation docs`, pictures and all; a test keeps them equal.

## The contract
A strategy declares its parameters with their ranges and how many closed bars its newest answer needs, and is one of three
styles. The same class runs in a backtest, on paper and live. A decision made on bar *i* sees bars 0..i and is filled on bar
*i+1* at the earliest ([engine.md](engine.md)).

* **Vectorised** (`Strategy`): `signals(bars, p)` gives for each bar the exposure wanted after its close, in [-1, 1], or
  `Signals` with a stop, a take-profit (prices) or a trail (a distance in price) besides. They protect in the bar that
  follows.
* **Portfolio** (`PortfolioStrategy`): the same for several instruments on one account: `(n, k)` exposures from a `Panel`.
* **Event-driven** (`EventStrategy`): `on_bar(ctx)` is called after each close and places orders, which work from the next
  bar on. An instance makes one run and may keep what it likes on `self`.

What `ctx` has: `index`, `time`, `open`, `high`, `low`, `close`, `volume` of the bar that has closed, `bars` (all up to
now), `p`, `position`, `entry_price`, `cash`, `equity`, `orders`; and `buy`, `sell` (market, or with `limit`, `stop`,
`trail`; `tif`, `reduce_only`, `stop_loss`, `take_profit`, `trailing_stop`), `target(exposure)`, `close_position()`,
`cancel(id)`, `cancel_all()`, `replace(id, …)`.

```python
from clusterx_api import Parameter, Signals, Strategy, indicators


class Dip(Strategy):
    name, label, summary = "dip", "Dip", "Buys closes below the band."
    parameters = (Parameter("window", "Window", "int", 20, minimum=5, maximum=200, step=1),)

    def history(self, p):
        return p.window

    def signals(self, bars, p):
        upper, middle, lower = indicators.bollinger(bars.close, p.window, 2.0)
        return Signals((bars.close < lower).astype(float), stop=lower * 0.98)
```

That is a whole file. Ours import the same names from `strategies.contract`, `strategies.higher` and
`marketdata.indicators`; [sandbox.md](sandbox.md) lists what a user's file may import.

**Higher timeframes.** `Higher(bars, "1h")` makes the closed bars of a higher timeframe out of the strategy's own, and `align`
brings what was made of them back: at each bar the newest value that had closed by then, NaN before the first. `bars` of it
are the higher bars, `newest` (n,) the index of the one that each bar knows. It raises ValueError where its timeframe is no
multiple of theirs. `history` counts the strategy's own bars, and two higher bars more, because it may begin and end within one.

```python
from clusterx_api import Higher, Parameter, Strategy, indicators, np


class DipInAnUptrend(Strategy):
    name, label, summary = "dip-in-an-uptrend", "Dip in an uptrend", "Buys dips while the hourly average rises."
    parameters = (Parameter("window", "Hours averaged", "int", 12, minimum=2, maximum=100, step=1),)

    def history(self, p):
        return 4 * (p.window + 3)  # written for bars of 15 minutes or longer

    def signals(self, bars, p):
        hours = Higher(bars, "1h")
        average = indicators.sma(hours.bars.close, p.window)
        rising = hours.align(np.diff(average, prepend=np.nan)) > 0
        return (rising & (bars.close < hours.align(average))).astype(float)
```

## Laws
Tests hold every strategy here to these; user strategies are held to them before they can be deployed.

* **No look ahead.** Signals on bars[:t] are, bit for bit, the first t of the signals on all bars, and other bars after t
  change nothing.
* **History.** On the newest `history` bars the newest answer is that of all bars, to 1e-9 of exposure. So a position is
  always the work of an event within the last `patience` bars, and lapses after them: nothing that is older decides.
* **Complete.** Every answer is a number in [-1, 1], for no bars, one bar, a market that stands still, and bars without
  volume.
* **Golden results.** Each does on recorded data, order by order, what it did (`tests/strategies/library/golden.json`).

## Market regimes
`strategies.regimes.regimes(bars)` labels each bar trending up, trending down, ranging or volatile. ADX, the slope of a
regression line against what a random walk would show, and the Hurst exponent vote on a trend; the rank of the realised
variance among its own past decides on volatile, which outranks a trend. Each has a threshold to come in and a lower one to
go out, and a change must hold for three bars.

## The library
Strategies marked *deployable* can be put to work on a paper account. The others have protective levels, orders or legs that
trading does not place yet, and run in backtests alone. Golden results are of the defaults; nothing here is tuned, and none
of it is advice.

Each has a picture of what it does at its defaults, with {FEE:.1%} fee and {SLIPPAGE:.2%} slippage a fill: an example of how it
trades, no proof that it earns. The page of a strategy on the site shows the same on bars of the installation, and its line of
numbers links to the run that finds them.
"""


def page() -> str:
    """The page docs/strategies.md, Markdown."""
    return PREFACE + "".join(section(strategy) for strategy in CATALOGUE.values())


def section(strategy: Declared) -> str:
    rule = " ".join((getdoc(type(strategy)) or "").split())
    style = (
        f"portfolio of {strategy.legs} instruments"
        if isinstance(strategy, PortfolioStrategy)
        else "event-driven"
        if isinstance(strategy, EventStrategy)
        else "vectorised"
    )
    facts = [style, "deployable" if strategy.name in LIBRARY else "backtests alone"]
    if isinstance(strategy, Strategy) and strategy.levels:
        facts.append(f"levels: {', '.join(name.replace('_', '-') for name in strategy.levels)}")
    facts.append(f"history at the defaults: {strategy.history(validate(strategy, {}))} bars")
    lines = [
        f"\n### {strategy.label}: `{strategy.name}`\n",
        strategy.summary,
        "",
        f"*{'; '.join(facts)}*",
        "",
        rule.replace("``", "`"),
        "",
        strategy.rationale,
        "",
        f"![{strategy.label}: price with what it bought and sold, and its equity]({PICTURES}/{strategy.name}.svg)",
        "",
        caption(strategy.name),
        "",
        "| parameter | | default | range | |",
        "|---|---|---:|---|---|",
        *(row(parameter) for parameter in strategy.parameters),
    ]
    return "\n".join(lines) + "\n"


def row(parameter: Parameter) -> str:
    if parameter.kind == "choice":
        default, span = str(parameter.default), ", ".join(f"`{value}`" for value, _ in parameter.choices)
    else:
        default, span = f"{parameter.default:g}", f"{parameter.minimum:g} to {parameter.maximum:g}"
    return f"| `{parameter.name}` | {parameter.label} | {default} | {span} | {parameter.help} |"


def write(folder: Path) -> None:
    """The page and its pictures, into the folder of the documentation."""
    from strategies.library.pictures import picture

    (folder / "strategies.md").write_text(page(), encoding="utf-8")
    place = folder / PICTURES
    place.mkdir(parents=True, exist_ok=True)
    for name in CATALOGUE:
        (place / f"{name}.svg").write_text(picture(find(name)), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write(Path(sys.argv[1]))
    else:
        sys.stdout.write(page())
