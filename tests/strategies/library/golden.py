"""What each strategy of the catalogue does on one recorded series, at its defaults: the hash of its orders and what is left.

``python -m tests.strategies.library.golden`` writes ``golden.json`` anew and prints what changed. Renew it when a change of
the engine or of a strategy is meant, and read the differences before committing them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from strategies.contract import EventStrategy, Panel, PortfolioStrategy, Strategy, validate
from strategies.engine import Costs, Result, simulate
from strategies.engine.context import run_events
from strategies.library import CATALOGUE, find
from tests.strategies.library.series import recorded

FILE: Final = Path(__file__).with_name("golden.json")
COSTS: Final = Costs.of(0.001, 0.0005)

# Those that are made for shorter bars than the hour get them; both directions where there are two.
SERIES: Final = {
    "vwap": ("BTC_USDT-15m",),
    "order-flow": ("ETH_USDT-1h",),
    "smart-money": ("ETH_USDT-1h",),
    "pairs": ("BTC_USDT-1h", "ETH_USDT-1h"),
    "momentum": ("SOL_USDT-1h",),
    "breakout": ("SOL_USDT-1h",),
}


def run(name: str) -> Result:
    """The strategy on its series at its defaults, long and short where it can."""
    strategy = find(name)
    series = [recorded(one) for one in SERIES.get(name, ("BTC_USDT-1h",))]
    both = any(parameter.name == "direction" for parameter in strategy.parameters)
    p = validate(strategy, {"direction": "long-short"} if both else {})
    bars = series[0]
    if isinstance(strategy, EventStrategy):
        return simulate(bars, intents=run_events(strategy, bars, p, costs=COSTS), costs=COSTS)
    if isinstance(strategy, PortfolioStrategy):
        panel = Panel(tuple(series))
        return simulate(panel.bars, strategy.signals(panel, p), costs=COSTS)
    assert isinstance(strategy, Strategy)
    return simulate(bars, strategy.signals(bars, p), costs=COSTS)


def facts(name: str) -> dict[str, Any]:
    result = run(name)
    return {
        "series": list(SERIES.get(name, ("BTC_USDT-1h",))),
        "bars": len(result),
        "trades": len(result.trades),
        "final_equity": round(result.final_equity, 6),
        "orders_hash": result.orders_hash,
    }


def renew() -> None:
    old = json.loads(FILE.read_text()) if FILE.exists() else {}
    new = {name: facts(name) for name in CATALOGUE}
    for name in new:
        if old.get(name) != new[name]:
            print(name, old.get(name), "→", new[name])  # noqa: T201
    FILE.write_text(json.dumps(new, indent=1) + "\n")


if __name__ == "__main__":
    renew()
