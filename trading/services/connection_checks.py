"""Testing a broker's key, and opening the books of its account. In the trading worker alone: it opens what is sealed.

What the account holds is read twice with the venue's time between: if both readings are the same, everything that the venue
executed before that time is in them and nothing after it, so that the books can begin there. Money of the account's currency is
what it begins with; a position is adopted with an execution at its average price, as if the account had begun with the money
that it cost; coins that are no money of the account are written down as being beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import connection as db
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from clusterx.templatetags import figures
from trading import events
from trading.brokers.connect import credentials_of, endpoint_of, instrument_called, sealed
from trading.brokers.protocol import (
    BadCredentials,
    Balance,
    Broker,
    BrokerError,
    Capabilities,
    Permissions,
    Side,
    VenueFill,
    VenuePosition,
)
from trading.brokers.registry import offer
from trading.models import Account, Connection, Holding
from trading.prices import money
from trading.services.accounts import CURRENCIES
from trading.services.connecting import destroy, halted_by, lock
from trading.services.journal import record
from trading.services.leases import Held, LeaseLost, lease
from trading.services.reports import fill_told
from trading.services.states import change, restrict
from trading.services.valuation import snapshot

Status = Connection.Status
ZERO: Final = Decimal(0)

SKEW_TOLD: Final = 5.0
"""Seconds: venues refuse requests whose time is further away than about that."""

READINGS: Final = 4
LONGEST_SUBJECT: Final = 16

HALTED_BY_US: Final = frozenset({"not-tested", "revoked", "key-refused", "bad-credentials", "may-not-trade", "another-account"})
"""Reasons for which an account is halted that end when its key passes a test."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a test came to. ``reason`` says what is wrong; empty: the key works."""

    status: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the venue showed. ``clock_skew``: seconds that its clock is ahead of ours."""

    permissions: Permissions
    capabilities: Capabilities
    clock_skew: float
    time: datetime
    balances: dict[str, Decimal]
    positions: dict[str, VenuePosition]


class Unsettled(Exception):
    """The message, in the owner's language, says why no books can begin with what the venue showed."""


@sensitive_variables()
def check_connection(*, account_id: int, clock: Callable[[], datetime] | None = None) -> Checked | None:
    """Test the account's key, and write down what came of it; None while another worker acts for the account."""
    clock = clock or timezone.now
    connection = Connection.objects.select_related("account__owner").filter(pk=account_id).first()
    if connection is None or connection.sealed is None:
        return Checked(Status.REVOKED)  # revoked or removed since it was asked for
    with lease(account_id) as held, translation.override(connection.account.owner.language or settings.LANGUAGE_CODE):
        if held is None:
            return None
        try:
            shown = _look(connection, held, clock)
        except LeaseLost:
            return None
        except BrokerError as error:
            return _failed(connection, error, clock())
        except Exception:
            # An adapter raises nothing but the above. Whatever this is, people are told, and operators by the traceback.
            _failed(connection, BrokerError(_("The test broke off, for a reason that operators can see.")), clock())
            raise
        return _answered(connection, shown, clock())


# -- asking -----------------------------------------------------------------------------------------------------------


@sensitive_variables()
def _look(connection: Connection, held: Held, clock: Callable[[], datetime]) -> Shown:
    """Raises BrokerError and LeaseLost."""
    broker = offer(connection.broker).make(credentials_of(connection), endpoint_of(connection))
    try:
        _at(connection, held, "permissions")
        permissions = broker.permissions()
        _at(connection, held, "clock")
        before = clock()
        time = broker.server_time()
        skew = (time - before - (clock() - before) / 2).total_seconds()
        _at(connection, held, "holdings")
        reading = _reading(broker)
        for _again in range(READINGS):
            held.prolong()
            time = broker.server_time()
            last, reading = reading, _reading(broker)
            if reading == last:
                break
        else:
            raise BrokerError(_("What the account holds changed while it was read. Test again when nothing trades there."))
        return Shown(permissions, broker.capabilities, skew, time, *reading)
    finally:
        broker.close()


def _reading(broker: Broker) -> tuple[dict[str, Decimal], dict[str, VenuePosition]]:
    balances: dict[str, Decimal] = {}
    for one in broker.balances():
        _add(balances, one)
    return balances, {one.symbol: one for one in broker.positions() if one.quantity}


def _add(balances: dict[str, Decimal], one: Balance) -> None:
    balances[one.currency] = balances.get(one.currency, ZERO) + one.total


def _at(connection: Connection, held: Held, step: str) -> None:
    held.prolong()
    Connection.objects.filter(pk=connection.pk).update(step=step)


# -- writing down -----------------------------------------------------------------------------------------------------


@transaction.atomic
def _failed(asked: Connection, error: BrokerError, at: datetime) -> Checked:
    account, connection = lock(asked.pk)
    if _is_another(asked, connection):
        return Checked(connection.status)
    reason = error.message
    if isinstance(error, BadCredentials) and connection.is_paper and connection.opened_at is None:
        reason += " " + _("A key of an account with real money does not open one with play money.")
    if isinstance(error, BadCredentials):
        restrict(account, Account.State.HALTED, code="bad-credentials", reason=reason, at=at)
    return _concluded(account, connection, Status.FAILING, reason, at)


@transaction.atomic
def _answered(asked: Connection, shown: Shown, at: datetime) -> Checked:
    account, connection = lock(asked.pk)
    if _is_another(asked, connection):
        return Checked(connection.status)
    connection.answered_at, connection.clock_skew = at, shown.clock_skew
    allowed = shown.permissions
    if allowed.may_withdraw or allowed.is_paper is not connection.is_paper:
        connection.checked_at = at
        reason = _withdraws() if allowed.may_withdraw else _other_money(allowed)
        destroy(account, connection, reason=reason, code="key-refused", at=at, actor=None)
        return Checked(Status.REVOKED, reason)
    # ``may_trade`` is what lets anything be sent (``brokers.connect``): it is told by a key of this very account alone.
    connection.may_trade, connection.may_withdraw = None, allowed.may_withdraw
    if connection.venue_account and allowed.account and allowed.account[:60] != connection.venue_account:
        reason = _("This key opens the account %(found)s; the books here are those of %(known)s.") % {
            "found": allowed.account[:60],
            "known": connection.venue_account,
        }
        restrict(account, Account.State.HALTED, code="another-account", reason=reason, at=at)
        return _concluded(account, connection, Status.FAILING, reason, at)
    if twin := _twin(connection, allowed):
        reason = (
            _("This account at the broker is connected already, as “%(name)s”.") % {"name": twin.account.name}
            if twin.account.owner_id == account.owner_id
            else _("Somebody else has connected this account at the broker.")
        )
        restrict(account, Account.State.HALTED, code="another-account", reason=reason, at=at)
        return _concluded(account, connection, Status.FAILING, reason, at)
    connection.may_trade = allowed.may_trade
    if not allowed.may_trade:
        reason = _("This key may not trade. Give it the right to at the broker, then test again.")
        restrict(account, Account.State.HALTED, code="may-not-trade", reason=reason, at=at)
        return _concluded(account, connection, Status.FAILING, reason, at)
    if connection.opened_at is None:
        try:
            with transaction.atomic():
                _open_books(account, connection, shown, at)
        except Unsettled as unsettled:
            account.refresh_from_db()
            connection.refresh_from_db(fields=["opened_at", "venue_account", "sealed"])
            return _concluded(account, connection, Status.FAILING, str(unsettled), at)
    if account.state == Account.State.HALTED and halted_by(account) in HALTED_BY_US:
        change(account, Account.State.ACTIVE, code="connected", reason=_("The key passed its test."), at=at)
    return _concluded(account, connection, Status.CONNECTED, "", at)


def _twin(connection: Connection, allowed: Permissions) -> Connection | None:
    """Another connection to the same account there, whose books would take every trade of this one for a stranger's."""
    if not allowed.account:
        return None
    name = f"{connection.broker}/{connection.market}/{allowed.account}"
    with db.cursor() as cursor:  # two that are tested at once wait for each other
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
    same = Connection.objects.filter(
        broker=connection.broker, market=connection.market, is_paper=connection.is_paper, venue_account=allowed.account[:60]
    )
    working = same.exclude(pk=connection.pk).exclude(opened_at=None).exclude(sealed=None).exclude(may_trade=None)
    return working.select_related("account").first()


def _is_another(asked: Connection, now: Connection) -> bool:
    """Whether the key that was tested is no longer the one that is kept."""
    return asked.sealed is None or now.sealed is None or bytes(asked.sealed) != bytes(now.sealed)


def _concluded(account: Account, connection: Connection, status: str, reason: str, at: datetime) -> Checked:
    changed = (connection.status, connection.status_reason) != (status, reason[:300])
    connection.status, connection.status_reason = status, reason[:300]
    connection.checked_at, connection.asked_at, connection.step = at, None, ""
    connection.save()
    if changed:
        payload = events.ConnectionNews(status, reason[:300])
        record(account=account, type=events.CONNECTION_CHANGED, payload=payload, at=at)
    return Checked(status, reason)


def _withdraws() -> str:
    return _(
        "This key may take money out of the account, so it was destroyed here and nothing was sent. Delete it at the broker "
        "too, make one that may read and trade and nothing else, and enter that."
    )


def _other_money(allowed: Permissions) -> str:
    if allowed.is_paper:
        return _(
            "This key opens an account with play money, and real money was chosen: it was destroyed here. Connect it anew."
        )
    return _("This key opens an account with real money, and play money was chosen: it was destroyed here. Connect it anew.")


# -- the books --------------------------------------------------------------------------------------------------------


@sensitive_variables()
def _open_books(account: Account, connection: Connection, shown: Shown, at: datetime) -> None:
    """Raises Unsettled."""
    account.currency = _currency(connection, shown)
    known, unknown = _sorted(account, shown)
    cost = sum((one.quantity * _price(one) for one in known), ZERO)
    cash = shown.balances.get(account.currency, ZERO)
    # A purchase takes its cost from cash; a margin wallet pays for none, and its total is what the account began with.
    begin = money(cash if shown.capabilities.margin_wallet else cash + cost)
    if begin <= 0:
        raise Unsettled(
            _("The account holds no %(currency)s to trade with. Put some there, then test again.")
            % {"currency": account.currency}
        )
    account.starting_balance = account.cash = begin
    account.save(update_fields=["currency", "starting_balance", "cash"])
    connection.venue_account = shown.permissions.account[:60]
    connection.opened_at = shown.time
    _pin(connection)
    connection.save(update_fields=["venue_account", "opened_at", "sealed"])
    for currency, total in shown.balances.items():
        if currency != account.currency and total:
            _beside(account, currency, total)
    for one in unknown:
        _beside(account, one.symbol, one.quantity)
    payload = events.AccountNews(account.name, account.currency, events.text(begin))
    record(account=account, type=events.ACCOUNT_CREATED, payload=payload, at=at)
    for one in known:
        fill_told(account_id=account.pk, told=_opening(one, shown.time, account.currency), at=at)
    account.refresh_from_db()
    snapshot(account=account, at=at)


def _currency(connection: Connection, shown: Shown) -> str:
    """What was chosen, else the money that the account holds most of."""
    if connection.currency:
        return connection.currency
    # A broker that keeps one kind of money says which, an exchange of coins lists them all.
    told = shown.permissions.currencies
    if len(told) == 1 and told[0] in CURRENCIES:
        return told[0]
    held = [one for one in CURRENCIES if shown.balances.get(one, ZERO) > 0]
    if not held:
        listed = ", ".join(CURRENCIES)
        raise Unsettled(
            _("The account holds none of %(offered)s to trade with. Put some there, then test again.") % {"offered": listed}
        )
    return max(held, key=lambda one: shown.balances[one])


def _sorted(account: Account, shown: Shown) -> tuple[list[VenuePosition], list[VenuePosition]]:
    """Positions in instruments that are known here and counted in the account's money, and all others. Raises Unsettled."""
    known, unknown = [], []
    for one in shown.positions.values():
        instrument = instrument_called(account, one.symbol)
        if instrument is None or instrument.quote != account.currency:
            if len(one.symbol) > LONGEST_SUBJECT or one.symbol in shown.balances:
                raise Unsettled(
                    _("The account holds %(symbol)s, which is not known here. Close that position, then test again.")
                    % {"symbol": one.symbol[:40]}
                )
            unknown.append(one)
        else:
            known.append(one)
    return known, unknown


def _price(one: VenuePosition) -> Decimal:
    if one.average_price is None or one.average_price <= 0:
        raise Unsettled(
            _("The broker does not tell what %(quantity)s %(symbol)s cost. Close that position, then test again.")
            % {"quantity": figures.quantity(one.quantity), "symbol": one.symbol[:40]}
        )
    return one.average_price


def _opening(one: VenuePosition, time: datetime, currency: str) -> VenueFill:
    """The execution that a position of before the books is adopted with."""
    return VenueFill(
        venue_fill_id=f"opening:{one.symbol}",
        venue_order_id="",
        client_order_id="",
        symbol=one.symbol,
        side=Side.BUY if one.quantity > 0 else Side.SELL,
        quantity=abs(one.quantity),
        price=_price(one),
        fee=ZERO,
        fee_currency=currency,
        time=time,
    )


def _beside(account: Account, subject: str, quantity: Decimal) -> None:
    if len(subject) > LONGEST_SUBJECT:  # some exchanges list tokens by names as long as sentences: nobody trades them here
        return
    Holding.objects.update_or_create(account=account, currency=subject, defaults={"quantity": quantity})


@sensitive_variables()
def _pin(connection: Connection) -> None:
    """A user with several accounts at the venue keeps to the one that was tested, whatever is listed first tomorrow."""
    fields = credentials_of(connection).fields
    names = {one.name for one in offer(connection.broker).fields}
    if "account" in names and not fields.get("account") and connection.venue_account:
        connection.sealed = sealed(connection, fields | {"account": connection.venue_account})
