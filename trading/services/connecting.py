"""Brokers' accounts: connecting one, giving it another key, letting go of it.

What people enter is sealed at once and seen by nobody but the trading worker, which tests it (``connection_checks``). Until the
first test that succeeds the account has no books: no currency, no cash, and the smallest starting balance that its column
takes, which no page and no answer of the API shows (``selectors.accounts_of``); it is halted. What the broker then shows
becomes what the account began with.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.debug import sensitive_variables

from clusterx.accounts.models import User
from clusterx.events import log
from clusterx.events.models import Event
from clusterx.sealing import CannotOpen, key_id_of, reseal
from marketdata.services.markets import ensure_venue
from trading import events, signals
from trading.brokers.connect import sealed
from trading.brokers.registry import Field, Offer, offer
from trading.errors import (
    CannotTest,
    HasBooks,
    InvalidCredentials,
    LiveNotConfirmed,
    NameTaken,
    TooMany,
    UnknownBroker,
    UnknownCurrency,
)
from trading.models import Account, Connection, Deployment, Instruction, Order
from trading.services.accounts import ACCOUNTS_LIMIT, CURRENCIES
from trading.services.deployments import stop
from trading.services.journal import record, stream_of
from trading.services.orders import Why, give_up
from trading.services.states import change, restrict

Status = Connection.Status

UNTESTED: Final = gettext_noop("The key was not tested yet.")
REVOKED: Final = gettext_noop("The key was revoked here.")
LONGEST: Final = 4096
KEPT_OF_A_KEY: Final = 4
SHORTEST_HINTED: Final = 12
"""The last characters of a shorter key would be too much of it."""

BEFORE_THE_BOOKS: Final = Decimal("0.0000000001")
"""An account must begin with money; before a broker said how much, it is the least there is."""

PATIENCE: Final = timedelta(seconds=60)
"""A test that was asked for is over by then, or its message was lost and it may be asked for again."""


@sensitive_variables("fields", "entered")
def connect_broker(
    *,
    owner: User,
    name: str,
    broker: str,
    market: str,
    is_paper: bool,
    fields: Mapping[str, str],
    at: datetime,
    knows_live: bool = False,
    currency: str = "",
) -> Account:
    """Seal the credentials, open an account without books, and ask for its first test.

    Parameters
    ----------
    broker, market : str
        As ``trading.brokers.registry`` names them.
    fields : mapping
        What the broker's offer asks for.
    knows_live : bool
        That the person said to know that orders cost real money; needed unless ``is_paper``.
    currency : str
        The money that the account trades with; empty: what it holds most of when it is first tested.

    Raises
    ------
    UnknownBroker
        If there is no such broker, market, or play money there.
    InvalidCredentials
        If a field is missing, unknown, or no text that a key could be.
    LiveNotConfirmed, UnknownCurrency, NameTaken, TooMany
    """
    offered = _offer(broker)
    _check_choices(offered, market, is_paper, knows_live, currency)
    entered = _entered(offered, fields)
    if Account.objects.filter(owner=owner).count() >= ACCOUNTS_LIMIT:
        raise TooMany(_("A person may have %(limit)s accounts.") % {"limit": ACCOUNTS_LIMIT}, limit=ACCOUNTS_LIMIT)
    try:
        with transaction.atomic():
            account = Account.objects.create(
                owner=owner,
                name=name,
                kind=Account.Kind.BROKER,
                currency="",
                starting_balance=BEFORE_THE_BOOKS,
                cash=0,
                created_at=at,
            )
            change(account, Account.State.HALTED, code="not-tested", reason=_(UNTESTED), at=at, actor=owner)
            connection = Connection(
                account=account,
                broker=offered.name,
                market=market,
                venue=ensure_venue(code=offered.venue, name=offered.label),
                is_paper=is_paper,
                currency=currency,
                created_at=at,
            )
            _put(connection, offered, entered, at=at)
            _tell(account, Status.NEW, "", at, owner)
    except IntegrityError as error:
        if "account_name_once" not in str(error):
            raise
        raise NameTaken(_("You have an account called “%(name)s” already.") % {"name": name}, field="name") from None
    return account


@sensitive_variables("fields", "entered")
@transaction.atomic
def replace_key(*, account_id: int, fields: Mapping[str, str], at: datetime, actor: User) -> Connection:
    """Seal another key for the account, and ask for its test: until then nothing is sent. A revoked account lives again.

    Raises InvalidCredentials.
    """
    account, connection = lock(account_id)
    offered = _offer(connection.broker)
    entered = _entered(offered, fields)
    connection.status, connection.status_reason, connection.revoked_at = Status.NEW, "", None
    connection.may_trade = connection.may_withdraw = None
    _put(connection, offered, entered, at=at)
    _tell(account, Status.NEW, _("Another key was entered."), at, actor)
    return connection


@transaction.atomic
def ask_for_test(*, account_id: int, at: datetime) -> Connection:
    """Have the trading worker test the key. Asked again while one is under way, it is the same test.

    Raises CannotTest.
    """
    _account, connection = lock(account_id)
    if connection.sealed is None:
        raise CannotTest(_("There is no key to test: enter another one."))
    if connection.asked_at is None or at - connection.asked_at >= PATIENCE:
        _ask(connection, at)
        connection.save(update_fields=["asked_at", "step"])
    return connection


@transaction.atomic
def revoke(*, account_id: int, at: datetime, actor: User | None) -> Connection:
    """Destroy the key. All deployments stop and nothing is sent any more: what works at the venue stays there."""
    account, connection = lock(account_id)
    if connection.status != Status.REVOKED:
        destroy(account, connection, reason=_(REVOKED), code="revoked", at=at, actor=actor)
    return connection


@transaction.atomic
def discard(*, account_id: int, at: datetime, actor: User) -> None:
    """Take away an account whose broker never answered. Its events stay.

    Raises HasBooks.
    """
    account, connection = lock(account_id)
    if connection.opened_at is not None:
        raise HasBooks(_("The account has books, and is kept. Revoke its key instead."))
    payload = events.ConnectionNews(Status.REVOKED, _("The account was removed; it never worked."))
    # Into the log alone: whoever would be told of it would look for an account that is gone.
    log.append(stream=stream_of(account), type=events.CONNECTION_CHANGED, payload=payload, actor=actor, at=at)
    connection.delete()
    account.delete()


def destroy(account: Account, connection: Connection, *, reason: str, code: str, at: datetime, actor: User | None) -> None:
    """Let go of the key for good, and stop all that would need one. The caller holds both locks."""
    connection.sealed, connection.status, connection.status_reason = None, Status.REVOKED, reason[:300]
    connection.may_trade = connection.may_withdraw = connection.asked_at = None
    connection.step, connection.revoked_at = "", at
    connection.save()
    if not restrict(account, Account.State.HALTED, code=code, reason=reason, at=at) and halted_by(account) == "not-tested":
        change(account, Account.State.HALTED, code=code, reason=reason, at=at, actor=actor)
    for pk in Deployment.objects.filter(account=account, status=Deployment.Status.RUNNING).values_list("pk", flat=True):
        stop(deployment_id=pk, at=at, actor=actor)
    Deployment.objects.filter(account=account).exclude(flatten_asked_at=None).update(flatten_asked_at=None)
    unsent = Order.objects.select_for_update(of=("self",)).select_related("deployment", "instrument")
    for order in unsent.filter(account=account, status=Order.Status.NEW).order_by("pk"):
        order.account = account
        give_up(order, Why(code, reason), at=at)
    waiting = Instruction.objects.filter(account=account, outcome=Instruction.Outcome.WAITING)
    waiting.update(outcome=Instruction.Outcome.DROPPED, answer=reason[:300], answered_at=at)
    _tell(account, Status.REVOKED, reason, at, actor)


def halted_by(account: Account) -> str:
    """The code that the account's state last changed with."""
    changes = Event.objects.filter(stream=stream_of(account), type=events.STATE_CHANGED)
    newest = changes.order_by("-pk").values_list("payload", flat=True).first()
    return str(newest["code"]) if newest else ""


def lock(account_id: int) -> tuple[Account, Connection]:
    """The account and its connection, locked in this order for this transaction."""
    account = Account.objects.select_for_update().select_related("owner").get(pk=account_id)
    connection = Connection.objects.select_for_update(of=("self",)).select_related("venue").get(pk=account_id)
    connection.account = account
    return account, connection


# -- rotation ---------------------------------------------------------------------------------------------------------


def reseal_all() -> dict[str, int]:
    """Seal every key anew under the newest private key; how many were, how many had been, how many cannot be opened.

    A second call changes nothing. Only the trading worker's environment has the private keys.
    """
    counts = {"resealed": 0, "current": 0, "unopened": 0}
    for pk in list(Connection.objects.exclude(sealed=None).order_by("pk").values_list("pk", flat=True)):
        counts[_reseal_one(pk)] += 1
    return counts


@sensitive_variables()
@transaction.atomic
def _reseal_one(pk: int) -> str:
    connection = Connection.objects.select_for_update().get(pk=pk)
    if connection.sealed is None:  # revoked meanwhile
        return "current"
    before = bytes(connection.sealed)
    try:
        after = reseal(before, connection.context)
        same = key_id_of(before) == key_id_of(after)
    except CannotOpen:
        return "unopened"
    if same:
        return "current"
    connection.sealed = after
    connection.save(update_fields=["sealed"])
    return "resealed"


# -- parts ------------------------------------------------------------------------------------------------------------


def _offer(broker: str) -> Offer:
    try:
        return offer(broker)
    except KeyError:
        raise UnknownBroker(_("There is no broker called “%(name)s” here.") % {"name": broker[:40]}, field="broker") from None


def _check_choices(offered: Offer, market: str, is_paper: bool, knows_live: bool, currency: str) -> None:
    if market not in offered.markets:
        raise UnknownBroker(
            _("%(broker)s has the markets %(offered)s, not %(found)s.")
            % {"broker": offered.label, "offered": ", ".join(offered.markets), "found": market[:20]},
            field="market",
        )
    if is_paper and not offered.has_paper:
        raise UnknownBroker(
            _("%(broker)s has no play money: an account there trades with real money.") % {"broker": offered.label},
            field="is_paper",
        )
    if not is_paper and not knows_live:
        raise LiveNotConfirmed(_("Say that you know that orders cost real money."), field="knows_live")
    if currency and (currency not in CURRENCIES or not offered.has_currencies):
        choices = ", ".join(CURRENCIES if offered.has_currencies else ["–"])
        raise UnknownCurrency(
            _("The currency must be one of %(offered)s, was %(found)s.") % {"offered": choices, "found": currency[:8]},
            field="currency",
        )


@sensitive_variables()
def _entered(offered: Offer, fields: Mapping[str, str]) -> dict[str, str]:
    """What was entered for each field. Names and values that do not fit are never said back: a key may stand in their place."""
    known = {one.name: one for one in offered.fields}
    if not set(fields) <= set(known):
        raise InvalidCredentials(
            _("%(broker)s asks for %(names)s and nothing else.") % {"broker": offered.label, "names": ", ".join(known)},
            field="credentials",
        )
    entered = {name: _clean(one, fields.get(name, "")) for name, one in known.items()}
    return {name: value for name, value in entered.items() if value}


@sensitive_variables()
def _clean(field: Field, given: str) -> str:
    value = given.strip() if isinstance(given, str) else ""
    if not value and field.is_required:
        raise InvalidCredentials(_("“%(field)s” is missing.") % {"field": field.label}, field=f"credentials.{field.name}")
    # Keys are ASCII. What else comes along when one copies would be told by HTTP libraries in their errors, key and all.
    allowed = "\n\r" if field.is_long else ""
    if len(value) > LONGEST or not all(" " <= one <= "~" or one in allowed for one in value):
        raise InvalidCredentials(
            _("“%(field)s” is no key: it has a line break or a character that no key has, or is longer than %(limit)s.")
            % {"field": field.label, "limit": LONGEST},
            field=f"credentials.{field.name}",
        )
    return value


@sensitive_variables("entered")
def _put(connection: Connection, offered: Offer, entered: dict[str, str], *, at: datetime) -> None:
    key = entered["key"]
    connection.hint = key[-KEPT_OF_A_KEY:] if len(key) >= SHORTEST_HINTED else ""
    connection.sealed = sealed(connection, entered)
    _ask(connection, at)
    connection.save()


def _ask(connection: Connection, at: datetime) -> None:
    connection.asked_at, connection.step = at, "waiting"
    tell = partial(signals.test_waiting.send_robust, sender=Connection, account_id=connection.account_id)
    transaction.on_commit(tell, robust=True)


def _tell(account: Account, status: str, reason: str, at: datetime, actor: User | None) -> None:
    payload = events.ConnectionNews(status, reason[:300])
    record(account=account, type=events.CONNECTION_CHANGED, payload=payload, at=at, actor=actor)
