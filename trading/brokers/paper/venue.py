"""The paper venue at work: orders meet the newest prices and the bars that closed, and its books follow.

It is a venue like another: it knows nothing of deployments and of our own orders, and we learn what it did by asking.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction

from marketdata.bars import Bar
from marketdata.models import Candle, Instrument, LatestPrice
from marketdata.timeframes import Timeframe
from trading.brokers.paper.pricing import PRICE_AGE_LIMIT, Bid, MarketPrice, Working, at_price, fee_of, in_bar
from trading.models import PaperBook, PaperFill, PaperHolding, PaperOrder
from trading.positions import Execution, Holding
from trading.prices import money, quantity_down, to_decimal
from trading.sizing import Terms

ZERO: Final = Decimal(0)
SHORTABLE: Final = frozenset({Instrument.Kind.PERPETUAL, Instrument.Kind.FUTURE})
BARS_LOOKED_BACK: Final = 1000

Status = PaperOrder.Status


def market_price(instrument_id: int) -> MarketPrice | None:
    """The instrument's newest price, or None if it never had one."""
    latest = LatestPrice.objects.filter(instrument_id=instrument_id).first()
    return None if latest is None else priced(latest)


def priced(latest: LatestPrice) -> MarketPrice:
    return MarketPrice(latest.price, latest.bid, latest.ask, latest.time, latest.received_at)


def price_age_limit(instrument: Instrument) -> timedelta:
    """How old a price may be to trade on: a minute, and one bar more where prices come by the bar."""
    if instrument.has_ticks:
        return PRICE_AGE_LIMIT
    bar = Timeframe.of(instrument.base_timeframe).seconds
    return PRICE_AGE_LIMIT + timedelta(seconds=bar / instrument.venue.clock_rate)


def match(*, at: datetime, accounts: Iterable[int] | None = None) -> set[int]:
    """Look at every open order with the newest prices and bars; the accounts where something happened.

    Looking costs one query for all; only an order that something happens to is locked.
    """
    waiting = PaperOrder.objects.filter(status=Status.OPEN).select_related(
        "instrument__venue", "instrument__latest", "book__account"
    )
    if accounts is not None:
        waiting = waiting.filter(book__in=list(accounts))
    moved = set()
    for order in waiting.order_by("pk"):
        if _happens(order, at) and match_order(order_id=order.pk, at=at):
            moved.add(order.book_id)
    return moved


@transaction.atomic
def match_order(*, order_id: int, at: datetime, however_old: bool = False) -> bool:
    """Fill, trigger or end one order if the market says so; whether anything happened. A second call changes nothing.

    ``however_old`` fills it at the last price there was, for a market that will send no other.
    """
    book_id = PaperOrder.objects.values_list("book_id", flat=True).get(pk=order_id)
    book = PaperBook.objects.select_for_update(of=("self",)).select_related("account").get(pk=book_id)
    order = (
        PaperOrder.objects.select_for_update(of=("self",))
        .select_related("instrument__venue", "instrument__latest")
        .get(pk=order_id)
    )
    order.book = book
    if order.status != Status.OPEN:
        return False
    if however_old:
        latest = getattr(order.instrument, "latest", None)
        return latest is not None and _take(order, at_price(_working(order), priced(latest), terms_of(order)), latest.time, at)
    return _happens(order, at, act=True)


def terms_of(order: PaperOrder) -> Terms:
    account, instrument = order.book.account, order.instrument
    return Terms(account.fee_rate, account.slippage_rate, instrument.tick_size, instrument.lot_size)


def _working(order: PaperOrder) -> Working:
    return Working(
        buying=order.side == "buy",
        type=order.type,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        triggered=order.triggered_at is not None,
        resting=order.seen_until is not None,
    )


def _happens(order: PaperOrder, at: datetime, *, act: bool = False) -> bool:
    """Whether the market does something to ``order``; does it, where ``act``."""
    if order.book.latency and at - order.created_at < order.book.latency:
        return False
    if _rests(order) and _in_bars(order, at, act=act):
        return True
    latest = getattr(order.instrument, "latest", None)
    if latest is None:
        return False
    market = priced(latest)
    if order.good_till is not None and market.time >= order.good_till:
        return not act or _end(order, Status.EXPIRED, "The next bar closed before the order could be filled.", at)
    is_late = not market.is_fresh(at, price_age_limit(order.instrument)) or market.time < order.decided_at
    if is_late and not order.is_blind:
        return False
    bid = at_price(_working(order), market, terms_of(order))
    if act:
        done = _take(order, bid, market.time, at)
        if order.status == Status.OPEN and order.time_in_force in {"ioc", "fok"}:
            return _end(order, Status.EXPIRED, "What could not be filled at once is cancelled.", at)
        if order.seen_until is None:
            order.seen_until = market.time
            order.save(update_fields=["seen_until"])
        return done
    first_look = order.seen_until is None and order.type != "market"
    return bid.price is not None or bid.triggered != (order.triggered_at is not None) or first_look


def _rests(order: PaperOrder) -> bool:
    return order.type != "market" and order.seen_until is not None


def _in_bars(order: PaperOrder, at: datetime, *, act: bool) -> bool:
    """What the bars that closed since the last look did: a price may go and come back between two looks."""
    instrument, since = order.instrument, order.seen_until
    assert since is not None
    step = timedelta(seconds=Timeframe.of(instrument.base_timeframe).seconds)
    rows = Candle.objects.filter(instrument_id=instrument.pk, timeframe=instrument.base_timeframe, time__gte=since)
    for row in rows.order_by("time").values("time", "open", "high", "low", "close", "volume")[:BARS_LOOKED_BACK]:
        bar = Bar(int(row["time"].timestamp()), row["open"], row["high"], row["low"], row["close"], row["volume"])
        bid = in_bar(_working(order), bar, terms_of(order))
        if bid.price is not None or bid.triggered != (order.triggered_at is not None):
            return not act or _take(order, bid, row["time"] + step, at)
        if act:
            order.seen_until = row["time"] + step
            order.save(update_fields=["seen_until"])
    return False


def _take(order: PaperOrder, bid: Bid, time: datetime, at: datetime) -> bool:
    if bid.triggered and order.triggered_at is None:
        order.triggered_at = time
        order.save(update_fields=["triggered_at"])
        if bid.price is None:
            return True
    if bid.price is None:
        return False
    quantity = _fillable(order)
    if not quantity or (order.time_in_force == "fok" and quantity < order.quantity):
        return False
    holding, _ = PaperHolding.objects.get_or_create(book=order.book, instrument=order.instrument)
    if why := _objection(order, holding, quantity, bid.price):
        return _end(order, Status.REJECTED, why, at)
    signed = quantity if order.side == "buy" else -quantity
    execution = Execution(signed, bid.price, fee_of(quantity, bid.price, terms_of(order)))
    after, _realised = Holding(holding.quantity, holding.cost).after(execution)
    holding.quantity, holding.cost = after.quantity, after.cost
    holding.save(update_fields=["quantity", "cost"])
    order.book.cash += execution.cash
    order.book.save(update_fields=["cash"])
    PaperFill.objects.create(
        order=order, book=order.book, quantity=quantity, price=bid.price, fee=execution.fee,
        is_maker=bid.is_maker, market_time=time, at=at,
    )  # fmt: skip
    order.filled_quantity += quantity
    order.status = Status.FILLED if order.filled_quantity == order.quantity else Status.OPEN
    order.updated_at = at
    order.save(update_fields=["filled_quantity", "status", "updated_at"])
    return True


def _fillable(order: PaperOrder) -> Decimal:
    """What of the rest the market has room for: a share of the last bar's volume, where the account asks for that."""
    rest, share = order.quantity - order.filled_quantity, order.book.volume_share
    if share is None:
        return rest
    bars = Candle.objects.filter(instrument_id=order.instrument_id, timeframe=order.instrument.base_timeframe)
    newest = bars.order_by("-time").values_list("time", "volume").first()
    if newest is None or newest[1] <= 0:
        return rest  # where volume is not known it limits nobody
    taken = sum(
        (one.quantity for one in PaperFill.objects.filter(order=order, market_time__gte=newest[0])), ZERO
    )  # each bar has room once
    room = max(Decimal(repr(newest[1])) * share - taken, ZERO)
    return min(rest, quantity_down(room, order.instrument.lot_size))


def _objection(order: PaperOrder, holding: PaperHolding, quantity: Decimal, price: Decimal) -> str:
    """Why the venue does not execute it: nothing is lent, and only derivatives are sold short."""
    signed = quantity if order.side == "buy" else -quantity
    closing = min(abs(holding.quantity), quantity) if holding.quantity * signed < 0 else ZERO
    opening = quantity - closing
    if not opening:
        return ""
    if holding.quantity + signed < 0 and order.instrument.kind not in SHORTABLE:
        return "short-not-allowed: There is not enough to sell."
    equity, gross = order.book.cash, ZERO
    for one in PaperHolding.objects.filter(book=order.book).exclude(quantity=0).select_related("instrument__latest"):
        latest = getattr(one.instrument, "latest", None)
        value = money(one.quantity * to_decimal(latest.price, one.instrument.tick_size)) if latest else one.cost
        equity, gross = equity + value, gross + abs(value)
    free = equity - gross + closing * price
    needed = opening * price + fee_of(quantity, price, terms_of(order))
    if needed <= free:
        return ""
    currency = order.book.account.currency
    return f"buying-power: The order needs {needed:,.2f} {currency}; {free:,.2f} {currency} is free."


def _end(order: PaperOrder, status: str, reason: str, at: datetime) -> bool:
    order.status, order.reason, order.updated_at = status, reason, at
    order.save(update_fields=["status", "reason", "updated_at"])
    return True
