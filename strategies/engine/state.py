"""What a simulation is in the middle of, and the codes of ``layout`` as the compiled code reads them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from strategies.engine.layout import Kind, Origin, Status, TimeInForce, Why

MARKET, LIMIT, STOP, STOP_LIMIT, TRAILING = (int(kind) for kind in Kind)
WORKING, FILLED, CANCELLED, REJECTED, EXPIRED, WAITING = (int(status) for status in Status)
IOC = int(TimeInForce.IOC)
OF_INTENT, OF_TARGET, OF_STOP, OF_PROFIT, OF_TRAIL, OF_LIQUIDATION = (int(origin) for origin in Origin)
(
    NONE, NO_LOT, NO_PRICE, NO_PARENT, NOTHING_TO_REDUCE, NO_SHORT, TOO_SMALL, NO_POWER, IN_GROUP, WAS_IOC, WAS_DAY, LIQUIDATED,
    WAS_BANKRUPT, CHANGED, ASKED, PROTECTED,
) = (int(why) for why in Why)  # fmt: skip
FAR = np.inf
YEAR = 31_536_000.0  # seconds
DUST = 1e-12  # of a quantity: what float arithmetic leaves of nothing


class State(NamedTuple):
    """All that a simulation is in the middle of; arrays as ``layout`` describes them."""

    account: Any
    counts: Any
    instruments: Any
    markets: Any
    rules: Any
    bar: Any
    orders: Any
    active: Any  # rows of orders that are not over, by id
    fills: Any
