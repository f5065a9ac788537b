"""Reads of trading that more than one place needs. Ages are told by when a price was received, never by the venue's
time."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db.models import (
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    Func,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    Window,
)
from django.db.models.functions import Coalesce, Greatest, RowNumber

from clusterx.accounts.models import User
from clusterx.events.models import Event
from marketdata.models import Candle, Gap, Instrument, LatestPrice
from marketdata.timeframes import TIMEFRAMES, Timeframe
from trading.activity import Activity, describe
from trading.brokers.paper import PRICE_AGE_LIMIT, MarketPrice
from trading.models import Account, Deployment, EquitySnapshot, Evaluation, Fill, Order, Position
from trading.positions import ZERO
from trading.positions import Holding as Books
from trading.prices import to_decimal

SHORTABLE = {Instrument.Kind.PERPETUAL, Instrument.Kind.FUTURE}


# -- people's own rows ------------------------------------------------------------------------------------------


def accounts_of(user: User) -> QuerySet[Account]:
    """The user's accounts, oldest first."""
    return Account.objects.filter(owner=user)


def account_of(user: User, public_id: uuid.UUID | str) -> Account:
    """One of the user's accounts. Raises Account.DoesNotExist, for other people's too."""
    return accounts_of(user).get(public_id=public_id)


def deployments() -> QuerySet[Deployment]:
    """Deployments, newest first, each with its newest evaluation.

    Annotated ``last_bar_time``, ``last_evaluated_at``, ``last_outcome``, ``last_reason``, ``last_target``: None before
    the first.
    """
    newest = Evaluation.objects.filter(deployment=OuterRef("pk")).order_by("-bar_time")
    return Deployment.objects.select_related("account", "instrument__venue", "position").annotate(
        last_bar_time=Subquery(newest.values("bar_time")[:1]),
        last_evaluated_at=Subquery(newest.values("evaluated_at")[:1]),
        last_outcome=Subquery(newest.values("outcome")[:1]),
        last_reason=Subquery(newest.values("reason")[:1]),
        last_target=Subquery(newest.values("target")[:1]),
    )


def deployments_of(user: User) -> QuerySet[Deployment]:
    """The user's deployments that are not deleted, as ``deployments`` gives them."""
    return deployments().filter(account__owner=user, deleted_at=None)


def orders() -> QuerySet[Order]:
    """Orders, newest first; annotated ``fill_price`` and ``fill_fee``, None until filled."""
    fills = Fill.objects.filter(order=OuterRef("pk"))
    return Order.objects.select_related("account", "deployment", "instrument__venue").annotate(
        fill_price=Subquery(fills.values("price")[:1]), fill_fee=Subquery(fills.values("fee")[:1])
    )


def orders_of(user: User) -> QuerySet[Order]:
    """The user's orders, as ``orders`` gives them."""
    return orders().filter(account__owner=user)


def fills() -> QuerySet[Fill]:
    """Fills, newest first."""
    return Fill.objects.select_related("account", "deployment", "instrument__venue", "order")


def fills_of(user: User) -> QuerySet[Fill]:
    """The user's fills."""
    return fills().filter(account__owner=user)


def positions() -> QuerySet[Position]:
    """Positions, flat ones too, newest first, with what ``holding`` needs."""
    return Position.objects.select_related("account", "deployment", "instrument__venue", "instrument__latest").order_by(
        "-deployment_id"
    )


def positions_of(user: User) -> QuerySet[Position]:
    """The user's positions."""
    return positions().filter(account__owner=user)


# -- what may be deployed ----------------------------------------------------------------------------------------


def deployable_instruments(account: Account) -> QuerySet[Instrument]:
    """Instruments that the account can trade: active, at a connected venue, quoted in its currency."""
    return Instrument.objects.filter(is_active=True, venue__is_enabled=True, quote=account.currency).select_related("venue")


def timeframes_for(instrument: Instrument) -> list[str]:
    """The timeframes that there are bars of, shortest first."""
    shortest = Timeframe.of(instrument.base_timeframe)
    return [name for name, timeframe in TIMEFRAMES.items() if timeframe >= shortest]


def short_allowed(instrument: Instrument) -> bool:
    """Whether one may sell what one does not hold."""
    return instrument.kind in SHORTABLE


# -- the market as trading sees it --------------------------------------------------------------------------------


def newest_bar_time(instrument_id: int, timeframe: str) -> datetime | None:
    """Opening time of the newest closed bar that is stored."""
    return (
        Candle.objects.filter(instrument_id=instrument_id, timeframe=timeframe)
        .order_by("-time")
        .values_list("time", flat=True)
        .first()
    )


def market_price(instrument_id: int) -> MarketPrice | None:
    """The instrument's newest price, or None if it never had one."""
    latest = LatestPrice.objects.filter(instrument_id=instrument_id).first()
    if latest is None:
        return None
    return MarketPrice(latest.price, latest.bid, latest.ask, latest.time, latest.received_at)


def price_age_limit(instrument: Instrument) -> timedelta:
    """How old a price may be to trade on: a minute, and one bar more where prices come by the bar."""
    if instrument.has_ticks:
        return PRICE_AGE_LIMIT
    bar = Timeframe.of(instrument.base_timeframe).seconds
    return PRICE_AGE_LIMIT + timedelta(seconds=bar / instrument.venue.clock_rate)


def has_open_gap(instrument_id: int, timeframe: str, start: datetime, end: datetime) -> bool:
    """Whether bars between ``start`` and ``end`` are missing and still being asked for."""
    return Gap.objects.filter(
        instrument_id=instrument_id, timeframe=timeframe, status=Gap.Status.OPEN, start__lt=end, end__gt=start
    ).exists()


# -- valuation ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holding:
    """A position at the newest price. Shares are fractions of what the position cost."""

    position: Position
    price: Decimal
    price_time: datetime | None
    price_received_at: datetime | None
    value: Decimal
    unrealised_pnl: Decimal

    @property
    def deployment(self) -> Deployment:
        return self.position.deployment

    @property
    def instrument(self) -> Instrument:
        return self.position.instrument

    @property
    def quantity(self) -> Decimal:
        return self.position.quantity

    @property
    def side(self) -> str:
        if not self.position.quantity:
            return "flat"
        return "long" if self.position.quantity > 0 else "short"

    @property
    def average_price(self) -> Decimal:
        return self.position.average_price

    @property
    def realised_pnl(self) -> Decimal:
        return self.position.realised_pnl

    @property
    def fees(self) -> Decimal:
        return self.position.fees

    @property
    def opened_at(self) -> datetime | None:
        return self.position.opened_at

    @property
    def unrealised_share(self) -> Decimal | None:
        cost = abs(self.position.cost)
        return self.unrealised_pnl / cost if cost else None


@dataclass(frozen=True, slots=True)
class Portfolio:
    """An account at the newest prices: ``equity = cash + positions_value = start + realised + unrealised − fees``,
    exactly.

    ``day_start_equity`` was the equity at 00:00 UTC. Shares are fractions; 0.012 is 1.2 %.
    """

    account: Account
    at: datetime
    cash: Decimal
    positions_value: Decimal
    equity: Decimal
    day_start_equity: Decimal
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    fees: Decimal
    positions: tuple[Holding, ...]

    @property
    def day_pnl(self) -> Decimal:
        return self.equity - self.day_start_equity

    @property
    def day_pnl_share(self) -> Decimal | None:
        return self.day_pnl / self.day_start_equity if self.day_start_equity > 0 else None

    @property
    def total_pnl(self) -> Decimal:
        return self.equity - self.account.starting_balance

    @property
    def total_pnl_share(self) -> Decimal:
        return self.total_pnl / self.account.starting_balance


def holding(position: Position) -> Holding:
    """``position`` at the newest price, or at what it cost where there is none. Fetch ``instrument__latest`` too."""
    latest: LatestPrice | None = getattr(position.instrument, "latest", None)
    tick = position.instrument.tick_size
    price = to_decimal(latest.price, tick) if latest else position.average_price
    books = Books(position.quantity, position.cost)
    return Holding(
        position=position,
        price=price,
        price_time=latest.time if latest else None,
        price_received_at=latest.received_at if latest else None,
        value=books.value(price) if latest else position.cost,
        unrealised_pnl=books.unrealised(price) if latest else ZERO,
    )


def portfolio(account: Account, *, at: datetime) -> Portfolio:
    """The account valued now. Two queries."""
    return portfolios([account], at=at)[0]


def portfolios(accounts: Iterable[Account], *, at: datetime) -> list[Portfolio]:
    """Accounts valued now, in the order given. Two queries however many they are.

    Cash is read in the same statement as the positions, so that a fill committed in between cannot be counted in one
    and not in the other.
    """
    accounts = list(accounts)
    rows: dict[int, list[Position]] = {account.pk: [] for account in accounts}
    for row in positions().filter(account__in=rows).order_by("deployment_id"):
        rows[row.account_id].append(row)
    first = _day_start_equities(rows, at=at)
    return [_valued(account, rows[account.pk], first[account.pk], at) for account in accounts]


def _valued(account: Account, rows: list[Position], day_start: Decimal | None, at: datetime) -> Portfolio:
    cash = rows[0].account.cash if rows else account.starting_balance  # without a position there was no fill
    open_ones = tuple(holding(row) for row in rows if row.quantity)
    value = sum((one.value for one in open_ones), ZERO)
    return Portfolio(
        account=account,
        at=at,
        cash=cash,
        positions_value=value,
        equity=cash + value,
        day_start_equity=account.starting_balance if day_start is None else day_start,
        realised_pnl=sum((row.realised_pnl for row in rows), ZERO),
        unrealised_pnl=sum((one.unrealised_pnl for one in open_ones), ZERO),
        fees=sum((row.fees for row in rows), ZERO),
        positions=open_ones,
    )


def _day_start_equities(accounts: Iterable[int], *, at: datetime) -> dict[int, Decimal | None]:
    """By account, the last equity recorded up to 00:00 UTC of the day of ``at``; None for a younger account."""
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    recorded = EquitySnapshot.objects.filter(account=OuterRef("pk"), at__lte=midnight).order_by("-at")
    return dict(
        Account.objects.filter(pk__in=list(accounts))
        .annotate(first=Subquery(recorded.values("equity")[:1]))
        .values_list("pk", "first")
    )


def equity_curve(account: Account, *, limit: int = 500, since: datetime | None = None) -> list[tuple[int, Decimal]]:
    """Recorded equity, oldest first: (seconds since 1970, equity).

    All of it, or since ``since``; where there are more than ``limit`` values, the last of each of ``limit`` equal spans.
    """
    snapshots = EquitySnapshot.objects.filter(account=account)
    if since is not None:
        snapshots = snapshots.filter(at__gte=since)
    ends = snapshots.aggregate(first=Min("at"), last=Max("at"))
    if ends["last"] is None:
        return []
    width = max((ends["last"] - ends["first"]) / limit, timedelta(seconds=1))
    # Counted back from the newest value, which so ends its own span and is always there.
    span = Func(Value(width), "at", Value(ends["last"]), function="date_bin", output_field=DateTimeField())
    from_its_end = Window(RowNumber(), partition_by=span, order_by=F("at").desc())
    points = snapshots.annotate(place=from_its_end).filter(place=1).order_by("-at").values_list("at", "equity")
    return [(int(moment.timestamp()), equity) for moment, equity in reversed(points[:limit])]


def accounts_to_mark() -> QuerySet[Account]:
    """Accounts whose worth can change: they hold something, or a deployment of theirs runs."""
    return Account.objects.filter(Q(pk__in=_holding_accounts()) | Q(deployments__status="running")).distinct()


def accounts_holding() -> QuerySet[Account]:
    """Accounts whose worth moves with the market."""
    return Account.objects.filter(pk__in=_holding_accounts())


def _holding_accounts() -> QuerySet[Position, int]:
    return Position.objects.exclude(quantity=0).values_list("account_id", flat=True)


# -- evaluation ---------------------------------------------------------------------------------------------------


def running_on(instrument_id: int, timeframe: str) -> list[int]:
    """Keys of the deployments that look at this instrument's bars."""
    return list(
        Deployment.objects.filter(
            instrument_id=instrument_id, timeframe=timeframe, status=Deployment.Status.RUNNING
        ).values_list("pk", flat=True)
    )


def watched_bars() -> set[tuple[int, str]]:
    """(instrument, timeframe) of every running deployment."""
    running = Deployment.objects.filter(status=Deployment.Status.RUNNING)
    return set(running.values_list("instrument_id", "timeframe").distinct().order_by())


def overdue_evaluations() -> list[tuple[int, datetime]]:
    """(deployment, opening time of the newest stored bar) where a running deployment has not looked at that bar."""
    newest_bar = (
        Candle.objects.filter(instrument=OuterRef("instrument"), timeframe=OuterRef("timeframe"))
        .order_by("-time")
        .values("time")[:1]
    )
    running = Deployment.objects.filter(status=Deployment.Status.RUNNING).annotate(
        newest=Subquery(newest_bar), last=Max("evaluations__bar_time")
    )
    overdue = running.filter(
        Q(last=None) | Q(newest__gt=F("last")),
        Q(starts_after=None) | Q(newest__gt=F("starts_after")),
        newest__isnull=False,
    )
    return list(overdue.order_by("pk").values_list("pk", "newest"))


def bars_without_evaluation(deployment: Deployment, *, before: datetime, bars: int = 1000) -> list[datetime]:
    """Stored bars never evaluated, since the deployment's start and within ``bars`` bars before ``before``."""
    seen = Evaluation.objects.filter(deployment=deployment)
    since = deployment.starts_after or seen.aggregate(first=Min("bar_time"))["first"]
    if since is None:
        return []
    since = max(since, before - bars * timedelta(seconds=Timeframe.of(deployment.timeframe).seconds))
    stored = Candle.objects.filter(
        instrument_id=deployment.instrument_id, timeframe=deployment.timeframe, time__gt=since, time__lt=before
    )
    looked_at = set(seen.filter(bar_time__gt=since, bar_time__lt=before).values_list("bar_time", flat=True))
    return [time for time in stored.order_by("time").values_list("time", flat=True) if time not in looked_at]


def deployments_with_holes(*, bars: int = 100) -> list[int]:
    """Running deployments that passed over a stored bar lately: it came after a newer one was looked at."""
    seen = Evaluation.objects.filter(deployment=OuterRef("pk"))
    looked_at = Evaluation.objects.filter(deployment=OuterRef(OuterRef("pk")), bar_time=OuterRef("time"))
    found: list[int] = []
    for name, timeframe in TIMEFRAMES.items():
        running = Deployment.objects.filter(status=Deployment.Status.RUNNING, timeframe=name).annotate(
            last=Subquery(seen.order_by("-bar_time").values("bar_time")[:1]),
            first=Coalesce("starts_after", Subquery(seen.order_by("bar_time").values("bar_time")[:1])),
        )
        passed = Candle.objects.filter(
            ~Exists(looked_at),
            instrument=OuterRef("instrument"),
            timeframe=name,
            time__gt=Greatest(
                OuterRef("first"),
                ExpressionWrapper(OuterRef("last") - bars * timedelta(seconds=timeframe.seconds), output_field=DateTimeField()),
            ),
            time__lt=OuterRef("last"),
        )
        found += running.filter(Exists(passed)).values_list("pk", flat=True)
    return found


# -- what happened ------------------------------------------------------------------------------------------------


def activity(account: Account, *, limit: int = 50, before: int | None = None) -> list[Activity]:
    """What happened to the account, newest first; ``before`` is the id of the oldest one already seen."""
    events = Event.objects.filter(stream=f"account/{account.public_id}")
    if before is not None:
        events = events.filter(pk__lt=before)
    return [describe(event) for event in events.order_by("-pk")[:limit]]
