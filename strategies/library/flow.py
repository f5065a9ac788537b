"""Order flow by bar: who traded at whose price, from trades or, where there are none, guessed from the bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clusterx.errors import DomainError
from strategies.contract import Floats

if TYPE_CHECKING:
    from marketdata.bars import Bars


class InvalidFlow(DomainError):
    """Trades that are no trades, or rows without a height."""

    code = "invalid-flow"


@dataclass(frozen=True, slots=True)
class Flow:
    """What each of n bars traded; volumes in the base currency.

    ``buy`` and ``sell`` are the volumes that buyers and sellers took from the book. ``stacked_buy`` and ``stacked_sell``
    count imbalances that follow each other: price rows of the bar when made of trades, bars up to this one when guessed.
    ``node`` is the price at which the bar traded most. ``approximate`` tells that all of it is guessed from the bars.
    """

    buy: Floats
    sell: Floats
    stacked_buy: Floats
    stacked_sell: Floats
    node: Floats
    approximate: bool

    def __len__(self) -> int:
        return len(self.buy)

    @classmethod
    def of_bars(cls, bars: Bars, ratio: float) -> Flow:
        """A guess: the share that buyers took is where the close lies between low and high, one half where they are one.

        The place of the close in the range is what Chaikin's money flow weighs volume by. It knows nothing of who crossed the
        spread. A bar has an imbalance where one side's volume is at least ``ratio`` times the other's; ten in a row at most.
        """
        from strategies.library.flow_kernel import guess

        rows = np.empty((5, len(bars)))
        guess(bars.high, bars.low, bars.close, bars.volume, ratio, rows)
        return cls(rows[0], rows[1], rows[2], rows[3], rows[4], approximate=True)

    @classmethod
    def of_trades(
        cls, bars: Bars, time: Any, price: Any, quantity: Any, side: Any, *, row: float, ratio: float, seconds: int
    ) -> Flow:
        """From trades in order of time.

        Parameters
        ----------
        bars : Bars
            n bars of ``seconds`` each; trades outside of them do not count.
        time, price, quantity, side : (m,)
            Epoch seconds, price, base volume, and 1 where the buyer was the taker or -1 where the seller was.
        row : float
            Height of a price row, a multiple of the tick.
        ratio : float
            A row has an imbalance of buyers when they took at least ``ratio`` times what sellers took one row below
            (diagonal, as footprint charts have it); of sellers against the row above. The outermost rows have none.

        Raises
        ------
        InvalidFlow
            If the columns differ in length, a side is neither 1 nor -1, the order is not that of time, or ``row`` is not
            above 0.
        """
        from strategies.library.flow_kernel import footprint

        stamps, prices, amounts, sides = (np.ascontiguousarray(column, np.float64) for column in (time, price, quantity, side))
        if len({column.shape for column in (stamps, prices, amounts, sides)}) != 1 or stamps.ndim != 1:
            raise InvalidFlow("time, price, quantity and side must be rows of one length", field="time")
        if not np.isin(sides, (1, -1)).all():
            raise InvalidFlow("side must be 1 or -1", field="side")
        if (np.diff(stamps) < 0).any():
            raise InvalidFlow("trades must be in order of time", field="time")
        if not row > 0 or not (prices > 0).all() or not np.isfinite(prices).all():
            raise InvalidFlow(f"prices and row must be above 0, row was {row!r}", field="row")
        begin = np.searchsorted(stamps, bars.time.astype(np.float64), side="left")
        end = np.searchsorted(stamps, (bars.time + seconds).astype(np.float64), side="left")
        rows = np.empty((5, len(bars)))
        footprint(begin, end, prices, amounts, sides, row, ratio, rows)
        return cls(rows[0], rows[1], rows[2], rows[3], rows[4], approximate=False)
