"""Where the kernel keeps what it knows: columns of its float64 matrices, and the small codes in them.

Numba reads these as constants. Everything outside the kernel sees structured arrays and enums instead (``result``).
"""

from __future__ import annotations

from enum import IntEnum

# The account: one vector.
CASH, FEES, SLIPPAGE, FUNDING, BORROW, INTEREST, DIVIDENDS, BANKRUPT, LIQUIDATIONS, SHORT_REFUSED = range(10)
ACCOUNT_SIZE = 10

# Counters: one int64 vector.
ORDERS, FILLS, ACTIVE, STEP, NEXT_INTENT, NEXT_ACTION, SESSION_NOW, SESSION_NEXT = range(8)
COUNTERS_SIZE = 8

# An instrument's row.
(
    POSITION,
    MARK,
    CLOSE_BEFORE,  # the last known close
    TARGET,  # the exposure that was last asked for
    PENDING,  # whether a target order works
    TARGET_BAR,
    TARGET_ROW,  # of the order, -1 before it traded
    STOP_LEVEL,
    PROFIT_LEVEL,
    TRAIL_DISTANCE,
    TRAIL_LEVEL,
    EXTREME,
    FLATTEN,  # a protective exit that the volume cap cut: the reason it goes on with, 0 none
    FLATTEN_ROW,
    VOLUME_USED,  # in the finer bar at hand
    BAR_USED,  # in the whole bar
    OPENED_STEP,  # the step in which the position was opened
    OPENED_PHASE,
    ENLARGED_STEP,  # the step in which it was last opened or enlarged within the range, and at what price before slippage
    ENLARGED_PRICE,
) = range(20)
INSTRUMENT_SIZE = 20

# A market's row.
TICK, LOT, MINIMUM_NOTIONAL, MULTIPLIER, SHORT = range(5)
MARKET_SIZE = 5

# Costs and rules: one vector.
(
    MAKER,
    TAKER,
    PER_UNIT,
    MINIMUM_FEE,
    SLIPPAGE_KIND,
    SLIPPAGE_SIZE,
    BORROW_RATE,
    INTEREST_RATE,
    FILL_AT_CLOSE,
    LEVERAGE,
    MAINTENANCE,
    VOLUME_SHARE,
    TOUCH,
    OPTIMISTIC,
    CARRIES,  # whether anything is charged for time
) = range(15)
RULES_SIZE = 15

# The bar, or finer bar, that is being matched: a row for each instrument.
BAR_OPEN, BAR_HIGH, BAR_LOW, BAR_CLOSE, BAR_VOLUME, FILLABLE = range(6)
BAR_SIZE = 6

# An order's row.
(
    ID,
    BAR,
    INSTRUMENT,
    SIDE,
    KIND,
    QUANTITY,
    LIMIT,
    STOP,
    TRAIL,
    TIME_IN_FORCE,
    REDUCE_ONLY,
    PARENT,
    GROUP,
    REASON,
    STATUS,
    WHY,
    FILLED,
    VALUE,  # Σ price · quantity
    ORIGIN,
    ORDER_EXTREME,
    SESSION,  # in which it became working
    TRIGGERED,  # a stop that is a market order now, a stop-limit that is a limit order now
    FRESH,  # a limit order that has not rested yet
    WOKEN_STEP,  # a child: the step in which its parent first filled
    WOKEN_PHASE,
    WOKEN_PRICE,  # before slippage
    WOKEN_BAR,
    SEEN,  # the step in which it was last looked at
) = range(28)
ORDER_SIZE = 28

# A fill's row.
(
    FILL_BAR,
    FILL_ORDER,  # row of the order
    FILL_INSTRUMENT,
    FILL_SIDE,
    FILL_QUANTITY,
    FILL_PRICE,
    FILL_FEE,
    FILL_SLIPPAGE,
    FILL_MAKER,
    FILL_WHY,
    FILL_PHASE,
    FILL_AMBIGUOUS,
    FILL_POSITION,  # after it
) = range(13)
FILL_SIZE = 13

# Phases of a step.
AT_OPEN, IN_STOPS, IN_LIMITS, AT_CLOSE = range(4)


class Kind(IntEnum):
    MARKET = 0
    LIMIT = 1
    STOP = 2
    STOP_LIMIT = 3
    TRAILING = 4


class TimeInForce(IntEnum):
    GTC = 0
    IOC = 1
    DAY = 2


class Action(IntEnum):
    PLACE = 0
    CANCEL = 1
    REPLACE = 2


class Status(IntEnum):
    WORKING = 0
    FILLED = 1
    CANCELLED = 2
    REJECTED = 3
    EXPIRED = 4
    WAITING = 5  # for its parent


class Why(IntEnum):
    """Why an order ended without filling wholly."""

    NONE = 0
    LOT = 1
    PRICE = 2
    PARENT = 3
    NOTHING_TO_REDUCE = 4
    SHORT_NOT_ALLOWED = 5
    MINIMUM_NOTIONAL = 6
    BUYING_POWER = 7
    GROUP = 8
    IOC = 9
    DAY = 10
    LIQUIDATION = 11
    BANKRUPT = 12
    CHANGED = 13  # the target changed before it was reached
    ASKED = 14
    PROTECTED = 15  # a protective exit ended the target


class Origin(IntEnum):
    """What made an order."""

    INTENT = 0
    TARGET = 1
    STOP_LOSS = 2
    TAKE_PROFIT = 3
    TRAILING_STOP = 4
    LIQUIDATION = 5


class SlippageKind(IntEnum):
    NONE = 0
    FIXED = 1
    PERCENTAGE = 2
    HALF_SPREAD = 3
    VOLUME_SHARE = 4
