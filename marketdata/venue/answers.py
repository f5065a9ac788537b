"""What Binance's REST addresses answer, from a market of ours.

Source: developers.binance.com, "General endpoints", "Market Data endpoints", "Error codes".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marketdata.timeframes import TIMEFRAMES
from marketdata.venue.market import Market, Symbol, UnknownInterval, rolling_day

Query = Mapping[str, str]
MOST_TRADES = 1000


class Refused(Exception):
    """An error in Binance's shape: its code and its sentence."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class NoSuchCall(LookupError):
    """An address that Binance has and we do not, or that nobody has."""


def answer(market: Market, call: str, query: Query) -> Any:
    """The body that ``GET /api/v3/{call}`` has.

    Raises Refused where Binance would answer with HTTP 400, NoSuchCall where it would with 404.
    """
    match call:
        case "ping":
            return {}
        case "time":
            return {"serverTime": int(market.now() * 1000)}
        case "exchangeInfo":
            return exchange_info(market, _symbols(market, query))
        case "klines":
            return klines(market, _symbol(market, query), query)
        case "depth":
            return market.depth(_symbol(market, query), _limit(query, 100, 5000))
        case "trades" | "historicalTrades":
            return [trade(said) for said in market.recent_trades(_symbol(market, query), _limit(query, 500, MOST_TRADES))]
        case "aggTrades":
            return agg_trades(market, _symbol(market, query), query)
        case "ticker/price":
            found: list[Any] = [{"symbol": s.name, "price": s.price(market.price(s))} for s in _symbols(market, query)]
        case "ticker/24hr":
            found = [rolling_day(market, symbol) for symbol in _symbols(market, query)]
        case "ticker/bookTicker":
            found = [book_ticker(market, symbol) for symbol in _symbols(market, query)]
        case _:
            raise NoSuchCall(call)
    return found[0] if "symbol" in query else found


def klines(market: Market, symbol: Symbol, query: Query) -> list[list[Any]]:
    """Rows as Binance writes them; what bars do not tell (counts, quote volume, takers) is 0."""
    interval = query.get("interval", "")
    start, end = _number(query, "startTime"), _number(query, "endTime")
    try:
        bars = market.klines(symbol, interval, start, end, _limit(query, 500, 1000))
    except UnknownInterval:
        raise Refused(-1120, "Invalid interval.") from None
    length = TIMEFRAMES[interval].seconds * 1000
    return [
        [
            opened * 1000, symbol.price(o), symbol.price(h), symbol.price(low), symbol.price(c), symbol.size(v),
            opened * 1000 + length - 1, "0", 0, "0", "0", "0",
        ]
        for opened, o, h, low, c, v in bars.rows()
    ]  # fmt: skip


def trade(said: Mapping[str, Any]) -> dict[str, Any]:
    """A ``trade`` message as the REST address writes it."""
    return {
        "id": said["t"], "price": said["p"], "qty": said["q"], "quoteQty": f"{float(said['p']) * float(said['q']):.8f}",
        "time": said["T"], "isBuyerMaker": said["m"], "isBestMatch": True,
    }  # fmt: skip


def aggregated(said: Mapping[str, Any]) -> dict[str, Any]:
    """A ``trade`` message as an aggregate of one: which trades were one order's is not recorded."""
    return {
        "a": said["t"], "p": said["p"], "q": said["q"], "f": said["t"], "l": said["t"],
        "T": said["T"], "m": said["m"], "M": True,
    }  # fmt: skip


def agg_trades(market: Market, symbol: Symbol, query: Query) -> list[dict[str, Any]]:
    limit, first = _limit(query, 500, MOST_TRADES), _number(query, "fromId")
    start, end = _number(query, "startTime"), _number(query, "endTime")
    found = market.recent_trades(symbol, MOST_TRADES)
    if first is not None:
        found = [said for said in found if said["t"] >= first]
    if start is not None:
        found = [said for said in found if said["T"] >= start]
    if end is not None:
        found = [said for said in found if said["T"] <= end]
    chosen = found[-limit:] if first is None and start is None else found[:limit]
    return [aggregated(said) for said in chosen]


def book_ticker(market: Market, symbol: Symbol) -> dict[str, Any]:
    book = market.depth(symbol, 1)
    bid, ask = (book[side][0] if book[side] else ["0", "0"] for side in ("bids", "asks"))
    return {"symbol": symbol.name, "bidPrice": bid[0], "bidQty": bid[1], "askPrice": ask[0], "askQty": ask[1]}


def exchange_info(market: Market, symbols: list[Symbol]) -> dict[str, Any]:
    def one(symbol: Symbol) -> dict[str, Any]:
        tick, lot = symbol.price(10**-symbol.price_decimals), symbol.size(10**-symbol.size_decimals)
        return {
            "symbol": symbol.name, "status": "TRADING", "baseAsset": symbol.base, "baseAssetPrecision": 8,
            "quoteAsset": symbol.quote, "quotePrecision": 8, "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"], "isSpotTradingAllowed": True, "isMarginTradingAllowed": False,
            "permissions": ["SPOT"], "permissionSets": [["SPOT"]],
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00", "tickSize": tick},
                {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000.0", "stepSize": lot},
                {"filterType": "NOTIONAL", "minNotional": "5.00", "applyMinToMarket": True, "avgPriceMins": 5},
            ],
        }  # fmt: skip

    return {
        "timezone": "UTC", "serverTime": int(market.now() * 1000), "rateLimits": [], "exchangeFilters": [],
        "symbols": [one(symbol) for symbol in symbols],
    }  # fmt: skip


def _symbol(market: Market, query: Query) -> Symbol:
    if not query.get("symbol"):
        raise Refused(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
    try:
        return market.symbols[query["symbol"]]
    except KeyError:
        raise Refused(-1121, "Invalid symbol.") from None


def _symbols(market: Market, query: Query) -> list[Symbol]:
    return [_symbol(market, query)] if "symbol" in query else list(market.symbols.values())


def _number(query: Query, name: str) -> int | None:
    if name not in query:
        return None
    try:
        value = int(query[name])
    except ValueError:
        raise Refused(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.") from None
    if not 0 <= value < 10**16:
        raise Refused(-1130, f"Data sent for parameter '{name}' is not valid.")
    return value


def _limit(query: Query, default: int, most: int) -> int:
    value = _number(query, "limit")
    if value == 0:
        raise Refused(-1130, "Data sent for parameter 'limit' is not valid.")
    return default if value is None else min(value, most)
