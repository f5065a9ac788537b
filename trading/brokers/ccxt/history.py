"""What happened since: fills and money, page by page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from trading.brokers.ccxt.accounts import can, optional
from trading.brokers.ccxt.values import ZERO, decimal, milliseconds, moment
from trading.brokers.protocol import FlowKind, VenueFlow

FLOW_WINDOW: Final = timedelta(days=89)
"""Exchanges answer for at most 90 days at once."""

MOST_PAGES: Final = 500
"""Far more than anybody's history: a venue whose pages never end must not hold a worker."""

Page = Callable[[int, dict[str, Any]], list[dict[str, Any]]]


def pages(ask: Page, since: datetime, now: datetime, *, window: timedelta | None, newest_first: bool) -> list[dict[str, Any]]:
    """Everything at or after ``since`` that ``ask(since in ms, params)`` tells, without doubles, oldest first.

    Pages overlap by one moment, because several entries may have the same time; ids tell what was seen.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    start = since
    while True:
        end = min(start + window, now) if window is not None else None
        _fill_window(ask, found, start, end, newest_first)
        if end is None or end >= now:
            break
        start = end
    return sorted(found.values(), key=lambda one: (one["timestamp"], str(one["id"])))


def _fill_window(
    ask: Page, found: dict[tuple[str, str], dict[str, Any]], start: datetime, end: datetime | None, newest_first: bool
) -> None:
    first, until = milliseconds(start), milliseconds(end) if end is not None else None
    for _ in range(MOST_PAGES):
        page = ask(first, {} if until is None else {"until": until})
        new = [one for one in page if one.get("id") and (str(one.get("symbol")), str(one["id"])) not in found]
        if not new:
            return
        found.update({(str(one.get("symbol")), str(one["id"])): one for one in new})
        if newest_first:
            until = min(one["timestamp"] for one in page)
        else:
            first = max(one["timestamp"] for one in page)


def flows(client: Any, since: datetime, now: datetime, *, is_perpetual: bool) -> list[VenueFlow]:
    # Some of it is told in whole seconds: what happened within this one is not before it.
    since = since.replace(microsecond=0)
    if is_perpetual and client.id == "binance":
        told = _binance_income(client, since, now)
    else:
        told = _transfers(client, since, now)
        if is_perpetual and can(client, "fetchFundingHistory"):
            told += _funding(client, since, now)
    return sorted((one for one in told if one.time >= since), key=lambda one: (one.time, one.venue_flow_id))


def _transfers(client: Any, since: datetime, now: datetime) -> list[VenueFlow]:
    found: list[VenueFlow] = []
    for name, call, kind, sign in (
        ("fetchDeposits", "fetch_deposits", FlowKind.DEPOSIT, 1),
        ("fetchWithdrawals", "fetch_withdrawals", FlowKind.WITHDRAWAL, -1),
    ):
        if not can(client, name):
            continue
        ask = getattr(client, call)
        told = optional(
            lambda ask=ask: pages(  # type: ignore[misc]
                lambda first, params: ask(None, first, None, params), since, now, window=FLOW_WINDOW, newest_first=False
            )
        )
        for one in told:
            at, amount = moment(one["timestamp"]), decimal(one["amount"])
            # Only what is over is booked. A withdrawal that waits is told when it has left.
            if one.get("status") != "ok" or at is None or amount is None:
                continue
            found.append(VenueFlow(f"{kind}:{one['id']}", kind, str(one["currency"]), sign * amount, at))
            fee = one.get("fee") or {}
            cost = decimal(fee.get("cost")) or ZERO
            if kind is FlowKind.WITHDRAWAL and cost:
                found.append(VenueFlow(f"{kind}-fee:{one['id']}", FlowKind.FEE, str(fee["currency"]), -cost, at))
    return found


def _funding(client: Any, since: datetime, now: datetime) -> list[VenueFlow]:
    told = optional(
        lambda: pages(
            lambda first, params: client.fetch_funding_history(None, first, None, params),
            since, now, window=None, newest_first=False,
        )
    )  # fmt: skip
    found = [(one, moment(one["timestamp"]), decimal(one["amount"])) for one in told]
    return [
        VenueFlow(f"funding:{one['id']}", FlowKind.FUNDING, str(one["code"]), amount, at)
        for one, at, amount in found
        if at is not None and amount is not None
    ]


# What is told with fills (REALIZED_PNL, COMMISSION) is not told again as a flow.
INCOME: Final[Mapping[str, FlowKind]] = {
    "FUNDING_FEE": FlowKind.FUNDING,
    "SPECIAL_FUNDING_FEE": FlowKind.FUNDING,
    "INSURANCE_CLEAR": FlowKind.FEE,
    "API_REBATE": FlowKind.OTHER,
    "REFERRAL_KICKBACK": FlowKind.OTHER,
    "COMMISSION_REBATE": FlowKind.OTHER,
    "WELCOME_BONUS": FlowKind.OTHER,
    "COIN_SWAP_DEPOSIT": FlowKind.OTHER,
    "COIN_SWAP_WITHDRAW": FlowKind.OTHER,
}
MOVED: Final = frozenset({"TRANSFER", "INTERNAL_TRANSFER", "CROSS_COLLATERAL_TRANSFER", "STRATEGY_UMFUTURES_TRANSFER"})


def _binance_income(client: Any, since: datetime, now: datetime) -> list[VenueFlow]:
    """The futures wallet's journal. Its transaction ids are unique within one kind of income."""

    def ask(first: int, params: dict[str, Any]) -> list[dict[str, Any]]:
        request = {"startTime": first, "endTime": params["until"], "limit": 1000}
        return [
            {
                "id": f"{one['incomeType']}:{one['tranId']}",
                "symbol": one.get("symbol"),
                "timestamp": int(one["time"]),
                "info": one,
            }
            for one in client.fapiPrivateGetIncome(request)
        ]

    found: list[VenueFlow] = []
    for one in pages(ask, since, now + timedelta(seconds=1), window=timedelta(days=7), newest_first=False):
        info = one["info"]
        name, amount = info["incomeType"], Decimal(info["income"])
        kind = (FlowKind.DEPOSIT if amount > 0 else FlowKind.WITHDRAWAL) if name in MOVED else INCOME.get(name)
        if kind is not None:
            at = datetime.fromtimestamp(one["timestamp"] / 1000, UTC)
            found.append(VenueFlow(one["id"], kind, str(info["asset"]), amount, at))
    return found
