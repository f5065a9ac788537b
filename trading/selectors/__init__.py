"""Every read of trading that more than one place needs.

``own`` is what pages and the API list, ``market`` what decisions look at, ``worth`` what things are valued at, ``days`` which
day it is for an account, ``looks`` what the queue still has to do.
"""

from trading.selectors.days import day_of, days_of
from trading.selectors.looks import (
    accounts_with_work,
    awaits_price,
    bars_without_evaluation,
    deployments_with_holes,
    overdue_evaluations,
    running_on,
    watched_bars,
)
from trading.selectors.market import (
    PRICE_AGE_LIMIT,
    deployable_instruments,
    last_open_gap,
    market_price,
    newest_bar_time,
    price_age_limit,
    short_allowed,
    timeframes_for,
    why_not_deployable,
)
from trading.selectors.own import (
    account_of,
    accounts_of,
    activity,
    connections_of,
    deployments,
    deployments_of,
    fills,
    fills_of,
    orders,
    orders_of,
    positions,
    positions_of,
)
from trading.selectors.worth import (
    Holding,
    Portfolio,
    accounts_holding,
    accounts_to_mark,
    equity_curve,
    holding,
    portfolio,
    portfolios,
)

__all__ = [
    "PRICE_AGE_LIMIT",
    "Holding",
    "Portfolio",
    "account_of",
    "accounts_holding",
    "accounts_of",
    "accounts_to_mark",
    "accounts_with_work",
    "activity",
    "awaits_price",
    "bars_without_evaluation",
    "connections_of",
    "day_of",
    "days_of",
    "deployable_instruments",
    "deployments",
    "deployments_of",
    "deployments_with_holes",
    "equity_curve",
    "fills",
    "fills_of",
    "holding",
    "last_open_gap",
    "market_price",
    "newest_bar_time",
    "orders",
    "orders_of",
    "overdue_evaluations",
    "portfolio",
    "portfolios",
    "positions",
    "positions_of",
    "price_age_limit",
    "running_on",
    "short_allowed",
    "timeframes_for",
    "watched_bars",
    "why_not_deployable",
]
