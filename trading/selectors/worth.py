"""What accounts and positions are worth: now, at the start of the day, and over time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import DateTimeField, F, Func, Max, Min, OuterRef, Q, QuerySet, Subquery, Value, Window
from django.db.models.functions import RowNumber

from marketdata.models import Instrument, LatestPrice
from trading.models import Account, Deployment, EquitySnapshot, Position
from trading.positions import ZERO
from trading.positions import Holding as Books
from trading.prices import to_decimal
from trading.selectors.days import day_of, days_of
from trading.selectors.own import positions


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
    def deployment(self) -> Deployment | None:
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

    ``day`` is what the account's clock shows, ``day_start_equity`` the last equity recorded while it showed another. Shares are
    fractions; 0.012 is 1.2 %.
    """

    account: Account
    at: datetime
    cash: Decimal
    positions_value: Decimal
    equity: Decimal
    day: date
    day_start_equity: Decimal
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    fees: Decimal
    positions: tuple[Holding, ...]

    @property
    def day_is_ours(self) -> bool:
        """Whether the account counts days by our clock, and not by that of a venue that runs faster."""
        return self.day == day_of(self.at)

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
    """The account valued now. Three queries."""
    return portfolios([account], at=at)[0]


def portfolios(accounts: Iterable[Account], *, at: datetime) -> list[Portfolio]:
    """Accounts valued now, in the order given. Three queries however many they are.

    Cash is read in the same statement as the positions, so that a fill committed in between cannot be counted in one
    and not in the other.
    """
    accounts = list(accounts)
    rows: dict[int, list[Position]] = {account.pk: [] for account in accounts}
    for row in positions().filter(account__in=rows).order_by("deployment_id"):
        rows[row.account_id].append(row)
    days = days_of(rows, at=at)
    last = _last_recorded(rows, at=at)
    return [_valued(account, rows[account.pk], days[account.pk], last.get(account.pk), at) for account in accounts]


def _valued(account: Account, rows: list[Position], day: date, last: EquitySnapshot | None, at: datetime) -> Portfolio:
    cash = rows[0].account.cash if rows else account.starting_balance  # without a position there was no fill
    open_ones = tuple(holding(row) for row in rows if row.quantity)
    value = sum((one.value for one in open_ones), ZERO)
    if last is None:
        day_start = account.starting_balance
    else:
        day_start = last.day_start_equity if last.day == day else last.equity
    return Portfolio(
        account=account,
        at=at,
        cash=cash,
        positions_value=value,
        equity=cash + value,
        day=day,
        day_start_equity=day_start,
        realised_pnl=sum((row.realised_pnl for row in rows), ZERO),
        unrealised_pnl=sum((one.unrealised_pnl for one in open_ones), ZERO),
        fees=sum((row.fees for row in rows), ZERO),
        positions=open_ones,
    )


def _last_recorded(accounts: Iterable[int], *, at: datetime) -> dict[int, EquitySnapshot]:
    """By account, the last equity recorded up to ``at``."""
    newest = EquitySnapshot.objects.filter(account=OuterRef("pk"), at__lte=at).order_by("-at").values("pk")[:1]
    found = Account.objects.filter(pk__in=list(accounts)).values(newest=Subquery(newest))
    return {one.account_id: one for one in EquitySnapshot.objects.filter(pk__in=found)}


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
