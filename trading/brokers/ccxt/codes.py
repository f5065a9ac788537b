"""What an exchange's own error codes mean for a request. Sources: the error tables of each exchange's documentation."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """What an answer proves. Those with a code of ours are refusals: nothing happened, and trying again will not help."""

    INSUFFICIENT_FUNDS = "insufficient-funds"
    BAD_PRICE = "bad-price"
    BAD_QUANTITY = "bad-quantity"
    BELOW_MINIMUM = "below-minimum"
    UNKNOWN_SYMBOL = "unknown-symbol"
    MARKET_CLOSED = "market-closed"
    DUPLICATE_ID = "duplicate-id"
    NOT_OPEN = "not-open"
    WOULD_CROSS = "would-cross"
    REDUCE_ONLY = "reduce-only"
    SHORT_NOT_ALLOWED = "short-not-allowed"
    TRADING_DISABLED = "trading-disabled"
    TOO_MANY_ORDERS = "too-many-orders"
    REFUSED = "venue-refused"

    MISSING = "missing"  # there is no such order
    CLOCK = "clock"  # our timestamp was too far from the venue's: nothing happened
    CREDENTIALS = "credentials"
    RATE = "rate"
    TURNED_AWAY = "turned-away"  # unread: nothing happened, and it may be sent again
    UNKNOWN = "unknown"


REFUSALS: Final = frozenset(
    {
        Verdict.INSUFFICIENT_FUNDS, Verdict.BAD_PRICE, Verdict.BAD_QUANTITY, Verdict.BELOW_MINIMUM, Verdict.UNKNOWN_SYMBOL,
        Verdict.MARKET_CLOSED, Verdict.DUPLICATE_ID, Verdict.NOT_OPEN, Verdict.WOULD_CROSS, Verdict.REDUCE_ONLY,
        Verdict.SHORT_NOT_ALLOWED, Verdict.TRADING_DISABLED, Verdict.TOO_MANY_ORDERS, Verdict.REFUSED,
    }
)  # fmt: skip

SENTENCES: Final[Mapping[Verdict, str]] = {
    Verdict.INSUFFICIENT_FUNDS: "The account does not have enough for this order.",
    Verdict.BAD_PRICE: "The venue does not take this price.",
    Verdict.BAD_QUANTITY: "The venue does not take this quantity.",
    Verdict.BELOW_MINIMUM: "The order is worth less than the venue's minimum.",
    Verdict.UNKNOWN_SYMBOL: "The venue does not know this instrument.",
    Verdict.MARKET_CLOSED: "The market is closed.",
    Verdict.DUPLICATE_ID: "The venue has an order of this client order id.",
    Verdict.NOT_OPEN: "The order is not open.",
    Verdict.WOULD_CROSS: "The order would have traded at once.",
    Verdict.REDUCE_ONLY: "The order would not have reduced a position.",
    Verdict.SHORT_NOT_ALLOWED: "The account may not sell what it does not hold.",
    Verdict.TRADING_DISABLED: "The account may not trade this.",
    Verdict.TOO_MANY_ORDERS: "The account has as many open orders as the venue allows.",
    Verdict.REFUSED: "The venue refused the request.",
    Verdict.MISSING: "The venue has no such order.",
    Verdict.CLOCK: "The venue did not take the request because of its time, even after the clock was set anew.",
    Verdict.CREDENTIALS: "The venue does not accept the key.",
    Verdict.RATE: "The venue turned the request away because there were too many.",
    Verdict.TURNED_AWAY: "The request did not reach the venue.",
    Verdict.UNKNOWN: "Nobody knows what came of the request.",
}

BINANCE: Final[Mapping[str, Verdict]] = {
    # the venue itself says that it does not know
    "-1000": Verdict.UNKNOWN,
    "-1001": Verdict.UNKNOWN,
    "-1006": Verdict.UNKNOWN,
    "-1007": Verdict.UNKNOWN,
    "-1016": Verdict.UNKNOWN,
    # limits
    "-1003": Verdict.RATE,
    "-1015": Verdict.RATE,
    "-1008": Verdict.TURNED_AWAY,
    "-1021": Verdict.CLOCK,
    # the key
    "-1002": Verdict.CREDENTIALS,
    "-1022": Verdict.CREDENTIALS,
    "-2014": Verdict.CREDENTIALS,
    "-2015": Verdict.CREDENTIALS,
    "-2017": Verdict.CREDENTIALS,
    "-1109": Verdict.CREDENTIALS,
    # the request
    "-1013": Verdict.REFUSED,
    "-1100": Verdict.REFUSED,
    "-1101": Verdict.REFUSED,
    "-1102": Verdict.REFUSED,
    "-1104": Verdict.REFUSED,
    "-1106": Verdict.REFUSED,
    "-1111": Verdict.BAD_QUANTITY,
    "-1115": Verdict.REFUSED,
    "-1116": Verdict.REFUSED,
    "-1117": Verdict.REFUSED,
    "-1121": Verdict.UNKNOWN_SYMBOL,
    "-2010": Verdict.REFUSED,
    "-2011": Verdict.NOT_OPEN,
    "-2013": Verdict.MISSING,
    # USDⓈ-M futures
    "-2018": Verdict.INSUFFICIENT_FUNDS,
    "-2019": Verdict.INSUFFICIENT_FUNDS,
    "-2020": Verdict.REFUSED,
    "-2022": Verdict.REDUCE_ONLY,
    "-2025": Verdict.TOO_MANY_ORDERS,
    "-2027": Verdict.REFUSED,
    "-4001": Verdict.BAD_PRICE,
    "-4002": Verdict.BAD_PRICE,
    "-4003": Verdict.BAD_QUANTITY,
    "-4004": Verdict.BAD_QUANTITY,
    "-4005": Verdict.BAD_QUANTITY,
    "-4013": Verdict.BAD_PRICE,
    "-4014": Verdict.BAD_PRICE,
    "-4015": Verdict.REFUSED,
    "-4016": Verdict.BAD_PRICE,
    "-4023": Verdict.BAD_QUANTITY,
    "-4024": Verdict.BAD_PRICE,
    "-4111": Verdict.DUPLICATE_ID,
    "-4116": Verdict.DUPLICATE_ID,
    "-4131": Verdict.BAD_PRICE,
    "-4164": Verdict.BELOW_MINIMUM,
    "-5022": Verdict.WOULD_CROSS,
}

# Looked for in the message before the code is: one code has many meanings.
BINANCE_PHRASES: Final = (
    ("Duplicate order sent", Verdict.DUPLICATE_ID),
    ("insufficient balance", Verdict.INSUFFICIENT_FUNDS),
    ("immediately match and take", Verdict.WOULD_CROSS),
    ("would trigger immediately", Verdict.BAD_PRICE),
    ("Market is closed", Verdict.MARKET_CLOSED),
    ("This action is disabled on this account", Verdict.TRADING_DISABLED),
    ("This symbol is not permitted for this account", Verdict.TRADING_DISABLED),
    ("This account may not place or cancel orders", Verdict.TRADING_DISABLED),
    ("Rest API trading is not enabled", Verdict.TRADING_DISABLED),
    ("Filter failure: PRICE_FILTER", Verdict.BAD_PRICE),
    ("Filter failure: PERCENT_PRICE", Verdict.BAD_PRICE),
    ("Filter failure: LOT_SIZE", Verdict.BAD_QUANTITY),
    ("Filter failure: MARKET_LOT_SIZE", Verdict.BAD_QUANTITY),
    ("Filter failure: NOTIONAL", Verdict.BELOW_MINIMUM),
    ("Filter failure: MIN_NOTIONAL", Verdict.BELOW_MINIMUM),
    ("Filter failure: MAX_NUM", Verdict.TOO_MANY_ORDERS),
    ("Filter failure: EXCHANGE_MAX_NUM", Verdict.TOO_MANY_ORDERS),
)

KRAKEN_PHRASES: Final = (
    ("EOrder:Unknown order", Verdict.NOT_OPEN),
    ("EOrder:Insufficient", Verdict.INSUFFICIENT_FUNDS),
    ("EOrder:Order minimum not met", Verdict.BELOW_MINIMUM),
    ("EOrder:Cost minimum not met", Verdict.BELOW_MINIMUM),
    ("EOrder:Orders limit exceeded", Verdict.TOO_MANY_ORDERS),
    ("EOrder:Rate limit exceeded", Verdict.RATE),
    ("EOrder:Reduce only", Verdict.REDUCE_ONLY),
    ("EOrder:Post only order", Verdict.WOULD_CROSS),
    ("EQuery:Unknown asset pair", Verdict.UNKNOWN_SYMBOL),
    ("EService:Deadline elapsed", Verdict.TURNED_AWAY),
    ("EService:Throttled", Verdict.RATE),
    ("EService:", Verdict.UNKNOWN),
    ("EGeneral:Internal error", Verdict.UNKNOWN),
    ("EGeneral:Permission denied", Verdict.CREDENTIALS),
    ("EGeneral:Invalid arguments", Verdict.REFUSED),
)

COINBASE_PHRASES: Final = (
    ("INSUFFICIENT_FUND", Verdict.INSUFFICIENT_FUNDS),
    ("UNKNOWN_CANCEL_ORDER", Verdict.NOT_OPEN),
    ("DUPLICATE_CANCEL_REQUEST", Verdict.NOT_OPEN),
    ("INVALID_LIMIT_PRICE_POST_ONLY", Verdict.WOULD_CROSS),
    ("INVALID_PRODUCT_ID", Verdict.UNKNOWN_SYMBOL),
    ("INVALID_PRICE_PRECISION", Verdict.BAD_PRICE),
    ("INVALID_SIZE_PRECISION", Verdict.BAD_QUANTITY),
)

KUCOIN_PHRASES: Final = (
    ("order_not_exist_or_not_allow_to_cancel", Verdict.NOT_OPEN),
    ("The order cannot be canceled", Verdict.NOT_OPEN),
    ("order not exist", Verdict.MISSING),
    ("Order does not exist", Verdict.MISSING),
)

KUCOIN_CODES: Final[Mapping[str, Verdict]] = {
    "200004": Verdict.INSUFFICIENT_FUNDS,
    "400002": Verdict.CLOCK,
    "400003": Verdict.CREDENTIALS,
    "400004": Verdict.CREDENTIALS,
    "400005": Verdict.CREDENTIALS,
    "400006": Verdict.CREDENTIALS,
    "400007": Verdict.CREDENTIALS,
    "126044": Verdict.DUPLICATE_ID,
    "400100": Verdict.REFUSED,
    "429000": Verdict.RATE,
}
