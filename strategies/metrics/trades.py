"""Owns the numbers made from the trade list, and what was paid. Only closed trades are judged; open ones are counted.

A trade won if its net result is above 0 and lost if it is below; one that came out at exactly 0 did neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import int64, njit, types

from strategies.metrics.curve import MOST, Floats
from strategies.metrics.errors import InvalidRun

Trades = npt.NDArray[Any]

# What is read of a trade list; the engine's may hold more.
FIELDS: Final = (
    "entry_bar", "exit_bar", "entry_time", "exit_time", "side", "quantity", "entry_price", "exit_price", "pnl", "fees",
    "mae", "mfe", "open",
)  # fmt: skip

NO_TRADES: Final[Trades] = np.empty(
    0, [(name, np.int64 if name.endswith(("bar", "time")) else bool if name == "open" else np.float64) for name in FIELDS]
)

_series = types.Array(types.float64, 1, "C", readonly=True)


@dataclass(frozen=True, slots=True)
class Paid:
    """What a run paid besides the price, in account currency: above 0 paid, below 0 received, None not known.

    ``fees`` left out are summed from the trades. ``traded`` is the notional of all fills, for turnover; left out it is
    taken from the trades' entries and exits.
    """

    fees: float | None = None
    slippage: float | None = None
    funding: float | None = None
    borrow: float | None = None
    interest: float | None = None
    traded: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Closed:
    """Closed trades in the order in which they ended: (k,) net results, seconds held, worst and best excursion."""

    pnl: Floats
    held: Floats
    mae: Floats
    mfe: Floats


def check_trades(trades: Trades, bars: int) -> None:
    """Raise InvalidRun unless ``trades`` has the fields read here, finite numbers and bars of the run."""
    names = trades.dtype.names or ()
    missing = [name for name in FIELDS if name not in names]
    if missing:
        raise InvalidRun(f"trades must have the fields {', '.join(FIELDS)}; without {', '.join(missing)}")
    if trades.ndim != 1:
        raise InvalidRun(f"trades must be a row, had shape {trades.shape}")
    if not trades.size:
        return
    for name in ("quantity", "entry_price", "pnl", "fees", "mae", "mfe"):
        if not float(np.abs(trades[name]).max()) < MOST:
            raise InvalidRun(f"{name} of every trade must be a number below {MOST:g}")
    if trades["entry_bar"].min() < 0 or trades["entry_bar"].max() >= bars:
        raise InvalidRun(f"a trade must enter on a bar of the run, 0..{bars - 1}")


def closed(trades: Trades) -> Closed:
    """The closed ones of a checked list."""
    done = trades[~trades["open"].astype(bool)]
    order = done["exit_bar"]
    if order.size > 1 and bool((order[1:] < order[:-1]).any()):
        done = done[np.argsort(order, kind="stable")]
    held = (done["exit_time"] - done["entry_time"]).astype(np.float64)
    pnl, mae, mfe = (np.ascontiguousarray(done[name], dtype=np.float64) for name in ("pnl", "mae", "mfe"))
    return Closed(pnl, held, mae, mfe)


def traded(trades: Trades) -> float:
    """Quantity × price of every entry and exit, in account currency: what turnover counts."""
    quantity = np.abs(trades["quantity"])
    done = ~trades["open"].astype(bool)
    return float((quantity * trades["entry_price"]).sum() + (quantity[done] * trades["exit_price"][done]).sum())


def bars_held(trades: Trades, bars: int) -> tuple[int, int, int]:
    """At how many closes a position was held: any, long, short. A bar's close is held from entry bar to exit bar."""
    counts = []
    for wanted in ((1, -1), (1,), (-1,)):
        chosen = trades[np.isin(trades["side"], wanted)]
        edges = np.zeros(bars + 1, np.int64)
        np.add.at(edges, chosen["entry_bar"], 1)
        still = chosen["open"].astype(bool)
        np.add.at(edges, np.where(still, bars, np.clip(chosen["exit_bar"], 0, bars)), -1)
        counts.append(int(np.count_nonzero(edges[:-1].cumsum())))
    return counts[0], counts[1], counts[2]


def kelly(wins: int, losses: int, won: float, lost: float) -> float | None:
    """win share − loss share ÷ (average win ÷ average loss) (Kelly 1956), over trades that won or lost.

    ``won`` and ``lost`` are the sums, both above 0 where there is a trade. None without a win or a loss.
    """
    if not wins or not losses:
        return None
    share = wins / (wins + losses)
    return share - (1 - share) * (lost / losses) * (wins / won)


def system_quality(pnl: Floats) -> float | None:
    """√k × mean ÷ deviation of the trades' results (Tharp's SQN, without his cap of 100 trades). None if alike."""
    spread = float(pnl.std(ddof=1)) if pnl.size > 1 else 0.0
    if spread <= 1e-12 * max(1e-300, float(np.abs(pnl).max(initial=0.0))):
        return None
    return sqrt(pnl.size) * float(pnl.mean()) / spread


@njit(types.UniTuple(int64, 2)(_series), cache=True)
def streaks(pnl):  # type: ignore[no-untyped-def]
    """Longest runs of wins and of losses; a result of exactly 0 ends both."""
    wins, losses, most_wins, most_losses = 0, 0, 0, 0
    for value in pnl:
        wins = wins + 1 if value > 0 else 0
        losses = losses + 1 if value < 0 else 0
        most_wins, most_losses = max(most_wins, wins), max(most_losses, losses)
    return most_wins, most_losses
