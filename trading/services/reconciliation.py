"""Comparing the books with the venue: orders, executions, money that moved, positions, balances.

What the venue proves is adopted: orders and executions one by one, by their numbers, so that a second comparison changes
nothing. What is left is a *difference*: a position or a balance that no execution and no flow explains. Venues' lists lag
behind each other, so a difference counts only when it is seen again, unchanged and with nothing under way, ``LASTING`` later;
then the account is halted and says why. Nothing is ever sold because an answer is missing: a question that fails ends the
comparison.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.utils import timezone

from clusterx.accounts.models import User
from trading import events
from trading.brokers.connect import connect, symbol_of
from trading.brokers.protocol import Balance, Broker, BrokerError, VenueFlow, VenuePosition
from trading.models import Account, CashFlow, Connection, Difference, Holding, Instruction, Order, Position
from trading.prices import money
from trading.services.connections import heard
from trading.services.dispatch import OVERLAP, Agent, refresh, settle
from trading.services.journal import record
from trading.services.leases import LeaseLost, lease
from trading.services.locks import lock_account
from trading.services.states import change, restrict

ZERO: Final = Decimal(0)

LASTING: Final = timedelta(seconds=20)
"""How long a difference must last: longer than the lists of a venue lag behind each other."""

CENT: Final = Decimal("0.01")
"""Venues round what they show of money."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison came to. ``done`` is False where the venue did not answer, or somebody else acts for the account."""

    done: bool
    differences: tuple[str, ...] = ()
    reason: str = ""


def reconcile(*, account_id: int, clock: Callable[[], datetime] | None = None, broker: Broker | None = None) -> Compared:
    """Bring the books and the venue together as far as the venue proves it. A second call changes nothing."""
    clock = clock or timezone.now
    with lease(account_id) as held:
        if held is None:
            return Compared(False, reason="Another worker acts for the account.")
        account = Account.objects.select_related("connection__venue").get(pk=account_id)
        agent = None
        try:
            connected = broker or connect(account, clock)
            agent = Agent(account, connected, held, clock)
            settle(agent)
            refresh(agent)
            held.prolong()
            flows = connected.flows_since(_flows_since(account))
            positions, balances = connected.positions(), connected.balances()
        except LeaseLost:
            return Compared(False, reason="Another worker acts for the account.")
        except BrokerError as error:
            heard(account_id, error, at=clock())
            return Compared(False, reason=error.message)
        finally:
            if agent is not None and broker is None:
                agent.broker.close()
        heard(account_id, None, at=clock())
        _adopt_flows(account_id, flows, clock())
        return _compare(agent, positions, balances, clock())


def _flows_since(account: Account) -> datetime:
    newest = CashFlow.objects.filter(account=account).order_by("-occurred_at").values_list("occurred_at", flat=True).first()
    # Deposits from before the account was connected are in what it began with.
    opened = Connection.objects.filter(account=account).values_list("opened_at", flat=True).first()
    begin = opened or account.created_at
    return max((newest or begin) - OVERLAP, begin)


@transaction.atomic
def _adopt_flows(account_id: int, flows: list[VenueFlow], at: datetime) -> None:
    account = lock_account(account_id)
    for told in flows:
        if told.currency != account.currency:
            continue  # coins beside what is traded; the comparison of balances sees them
        flow, made = CashFlow.objects.get_or_create(
            account=account,
            venue_flow_id=told.venue_flow_id,
            defaults={"kind": told.kind, "amount": money(told.amount), "occurred_at": told.time, "recorded_at": at},
        )
        if not made:
            continue
        account.cash += flow.amount
        account.save(update_fields=["cash"])
        record(
            account=account,
            type=events.MONEY_MOVED,
            payload=events.MoneyNews(flow.kind, events.text(flow.amount), account.currency, told.venue_flow_id),
            at=at,
        )


@transaction.atomic
def _compare(agent: Agent, positions: list[VenuePosition], balances: list[Balance], at: datetime) -> Compared:
    account = lock_account(agent.account.pk)
    if _under_way(account):
        return Compared(True, reason="Orders are under way; positions are compared when they are not.")
    ours = _ours(account, agent)
    theirs = _theirs(account, agent, positions, balances)
    found = {
        subject: (ours[subject][0], theirs.get(subject, ZERO))
        for subject in ours.keys() | theirs.keys()
        if abs(ours[subject][0] - theirs.get(subject, ZERO)) > ours[subject][1]
    }
    lasting = []
    for one in Difference.objects.select_for_update().filter(account=account, resolved_at=None):
        if one.subject not in found:
            one.resolved_at = at
            one.save(update_fields=["resolved_at"])
            if one.seen_at - one.first_seen_at >= LASTING:
                _tell(account, events.DIFFERENCE_GONE, one.subject, *(ours[one.subject][0], theirs.get(one.subject, ZERO)), at)
            continue
        now = found.pop(one.subject)
        if now != (one.ours, one.venues):
            one.ours, one.venues, one.first_seen_at = *now, at
        told = one.seen_at - one.first_seen_at >= LASTING
        one.seen_at = at
        one.save()
        if at - one.first_seen_at >= LASTING:
            lasting.append(one.subject)
            if not told:
                _tell(account, events.DIFFERENCE_FOUND, one.subject, *now, at)
    for subject, (here, there) in found.items():
        Difference.objects.create(account=account, subject=subject, ours=here, venues=there, first_seen_at=at, seen_at=at)
    if lasting:
        listed = ", ".join(sorted(lasting))
        reason = f"The venue shows other positions or money than the books, and nothing explains it: {listed}."
        restrict(account, Account.State.HALTED, code="unexplained-difference", reason=reason, at=at)
    return Compared(True, tuple(sorted(lasting)))


def _under_way(account: Account) -> bool:
    """Whether something was sent whose outcome is open: the lists of the venue and ours are of different moments then."""
    sending = Instruction.objects.filter(account=account, outcome=Instruction.Outcome.SENDING)
    doubtful = Order.objects.filter(account=account, status__in=[Order.Status.UNKNOWN, Order.Status.SUBMITTING])
    return sending.exists() or doubtful.exists()


def _ours(account: Account, agent: Agent) -> dict[str, tuple[Decimal, Decimal]]:
    """By symbol or currency, what the books hold and what may differ for rounding."""
    spot, wallet = agent.broker.capabilities.holds_coins, agent.broker.capabilities.margin_wallet
    held: dict[str, tuple[Decimal, Decimal]] = defaultdict(lambda: (ZERO, ZERO))
    cost = ZERO
    for one in Position.objects.filter(account=account).select_related("instrument__venue"):
        subject = one.instrument.base if spot else symbol_of(account, one.instrument)
        # Coins are kept in finer units than they are traded in; contracts and shares are not.
        room = one.instrument.lot_size / 2 if spot else ZERO
        held[subject] = (held[subject][0] + one.quantity, max(held[subject][1], room))
        cost += one.cost
    held[account.currency] = (account.cash + (cost if wallet else ZERO), CENT)
    return held


def _theirs(account: Account, agent: Agent, positions: list[VenuePosition], balances: list[Balance]) -> dict[str, Decimal]:
    shown: dict[str, Decimal] = defaultdict(lambda: ZERO)
    beside = dict(Holding.objects.filter(account=account).values_list("currency", "quantity"))
    for position in positions:
        # A position that no instrument here names was there when the account was connected, and is not traded here.
        shown[position.symbol] += position.quantity - beside.get(position.symbol, ZERO)
    traded = set(Position.objects.filter(account=account).values_list("instrument__base", flat=True).distinct())
    for balance in balances:
        if balance.currency == account.currency:
            shown[balance.currency] += balance.total
        elif agent.broker.capabilities.holds_coins and balance.currency in traded:
            shown[balance.currency] += balance.total - beside.get(balance.currency, ZERO)
    return shown


def _tell(account: Account, type: str, subject: str, ours: Decimal, venues: Decimal, at: datetime) -> None:
    payload = events.DifferenceNews(subject, events.text(ours), events.text(venues))
    record(account=account, type=type, payload=payload, at=at)


@transaction.atomic
def accept(*, account_id: int, at: datetime, reason: str, actor: User) -> Account:
    """Let an account that was halted trade again, because its owner looked at what differs and says why it is right so."""
    account = lock_account(account_id)
    Difference.objects.filter(account=account, resolved_at=None).update(resolved_at=at)
    if account.state != Account.State.ACTIVE:
        change(account, Account.State.ACTIVE, code="owner", reason=reason, at=at, actor=actor)
    return account
