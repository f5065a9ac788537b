"""What an exchange tells about a key and a wallet where ccxt has no unified call for it: exchange by exchange."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import ccxt

from trading.brokers.ccxt.values import ZERO, decimal
from trading.brokers.protocol import Balance, Permissions, VenuePosition


def permissions_of(client: Any, *, is_perpetual: bool, is_paper: bool) -> Permissions:
    """What the key allows. Raises what ccxt raises."""
    tell = TELLERS.get(client.id, _from_balance)
    return tell(client, is_perpetual, is_paper)


def _from_balance(client: Any, is_perpetual: bool, is_paper: bool) -> Permissions:
    """For all others: a key that is accepted may read; whether it may trade is found out by trading."""
    held = client.fetch_balance().get("total") or {}
    return Permissions("", True, None, is_paper, tuple(sorted(name for name, total in held.items() if decimal(total))))


def _binance(client: Any, is_perpetual: bool, is_paper: bool) -> Permissions:
    if is_perpetual:
        wallet = client.fapiPrivateV3GetAccount()
        currencies = tuple(sorted(one["asset"] for one in wallet["assets"] if decimal(one["walletBalance"])))
        account, allowed = "", True
    else:
        wallet = client.privateGetAccount({"omitZeroBalances": "true"})
        currencies = tuple(sorted(one["asset"] for one in wallet["balances"]))
        account, allowed = str(wallet.get("uid") or ""), bool(wallet["canTrade"])
    if "sapi" not in client.urls["api"]:  # the test environments do not have it
        return Permissions(account, allowed, None, is_paper, currencies)
    told = client.sapiGetAccountApiRestrictions()
    kind = "enableFutures" if is_perpetual else "enableSpotAndMarginTrading"
    return Permissions(account, allowed and bool(told[kind]), bool(told["enableWithdrawals"]), is_paper, currencies)


def _coinbase(client: Any, is_perpetual: bool, is_paper: bool) -> Permissions:
    told = client.v3PrivateGetBrokerageKeyPermissions()
    return Permissions(str(told.get("portfolio_uuid") or ""), bool(told["can_trade"]), bool(told["can_transfer"]), is_paper)


def _kucoin(client: Any, is_perpetual: bool, is_paper: bool) -> Permissions:
    told = client.privateGetUserApiKey()["data"]
    allowed = {one.strip().lower() for one in str(told.get("permission", "")).split(",")}
    may_trade = ("futures" if is_perpetual else "spot") in allowed or "trade" in allowed
    # "Transfer" covers withdrawals, "InnerTransfer" only moves money between wallets of the same person.
    return Permissions(str(told.get("uid") or ""), may_trade, bool({"transfer", "withdrawal"} & allowed), is_paper)


TELLERS: Final[Mapping[str, Callable[[Any, bool, bool], Permissions]]] = {
    "binance": _binance,
    "coinbase": _coinbase,
    "kucoin": _kucoin,
}


def balances_of(client: Any, *, is_perpetual: bool) -> list[Balance]:
    if is_perpetual and client.id == "binance":
        # ccxt's total is the margin balance, which counts open profit.
        assets = client.fapiPrivateV3GetAccount()["assets"]
        found = [
            (one["asset"], decimal(one["walletBalance"]) or ZERO, decimal(one["availableBalance"]) or ZERO) for one in assets
        ]
        return [Balance(currency, total, max(ZERO, min(free, total))) for currency, total, free in found if total]
    told = client.fetch_balance()
    total: Mapping[str, str | None] = told.get("total") or {}
    free: Mapping[str, str | None] = told.get("free") or {}
    return [
        Balance(currency, decimal(amount) or ZERO, decimal(free.get(currency)) or ZERO)
        for currency, amount in sorted(total.items())
        if decimal(amount)
    ]


def positions_of(client: Any) -> list[VenuePosition]:
    if client.id == "binance":
        # ccxt's call asks for the leverage brackets of every instrument too, which is nothing that we need.
        rows = [
            (one["symbol"], decimal(one["positionAmt"]), one["entryPrice"]) for one in client.fapiPrivateV3GetPositionRisk()
        ]
        return [VenuePosition(symbol, size, decimal(entry)) for symbol, size, entry in rows if size]
    found: list[VenuePosition] = []
    for one in client.fetch_positions():
        size = decimal(one.get("contracts"))
        if size:
            signed = -abs(size) if one.get("side") == "short" else abs(size)
            found.append(VenuePosition(client.market(one["symbol"])["id"], signed, decimal(one.get("entryPrice"))))
    return found


def can(client: Any, what: str) -> bool:
    return bool(client.has.get(what))


def optional(call: Callable[[], list[Any]]) -> list[Any]:
    """Empty where the exchange, or its test environment, does not have that question at all."""
    try:
        return call()
    except ccxt.NotSupported:
        return []
