"""Telling the venue: what waits in an account's outbox is sent, one after the other, by whoever has the account's lease.

Of each instruction the database knows three moments, each committed before the next begins: it waits; it is being sent, under
which lease; what came of it. Whoever finds one being sent under a lease that is over knows that nobody knows (``settle``): the
order is *unknown* until the venue proves one or the other, and is never sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from marketdata.models import Instrument
from trading import events
from trading.brokers.connect import connect, symbol_of
from trading.brokers.protocol import (
    BadCredentials,
    Broker,
    BrokerError,
    NotSent,
    OrderKey,
    OrderRequest,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Side,
    TimeInForce,
    Type,
    Unavailable,
    VenueOrder,
)
from trading.lifecycle import AT_VENUE, OPEN, OVER
from trading.models import Account, Fill, Instruction, Order, Position
from trading.services import pursuit
from trading.services.connections import heard
from trading.services.leases import Held, LeaseLost, lease
from trading.services.locks import lock_account
from trading.services.orders import Why, believe, doubt, end, record_order
from trading.services.reports import fill_told, order_told

logger = logging.getLogger(__name__)

Kind, Outcome, Status = Instruction.Kind, Instruction.Outcome, Order.Status

PATIENCE: Final = timedelta(seconds=60)
"""An order that could not be sent for so long is given up: what it was decided on is over."""

OVERLAP: Final = timedelta(minutes=5)
"""Fills are asked for from this long before the newest known: venues' clocks differ from ours, and their books lag behind."""

ROUNDS: Final = 20
BACKOFF: Final = (0.5, 1, 2, 4, 8)  # seconds


_here: ContextVar[set[int] | None] = ContextVar("sending_here", default=None)


def dispatch(
    *, account_id: int, clock: Callable[[], datetime] | None = None, broker: Broker | None = None, look: bool = False
) -> bool:
    """Send what waits and do what follows from the answers, until nothing is left; whether that was done.

    With ``look``, first see what happened at the venue. It was not done where the venue did not answer or another worker acts
    for the account: that one sends all that was written before it gave the lease back, but need not have looked so late.
    """
    acted, clock = False, clock or timezone.now
    for _ in range(ROUNDS):
        with lease(account_id) as held:
            if held is None:
                return acted
            acted = True
            account = Account.objects.get(pk=account_id)
            connected = broker
            try:
                connected = broker or connect(account, clock)
                agent = Agent(account, connected, held, clock)
                with sending_here():  # what follows from the answers is sent in the next round
                    if look:
                        refresh(agent)
                    _work(agent)
            except LeaseLost:
                return False
            except BrokerError as error:
                logger.info("account %s is looked at later: %s", account_id, error.message)
                if isinstance(error, BadCredentials):
                    heard(account_id, error, at=clock())
                    _refuse_unsent(account_id, error.message, clock())
                return False
            finally:
                if broker is None and connected is not None:
                    connected.close()
        if not _due(account_id, clock()):
            return acted
    return acted


@contextmanager
def sending_here() -> Iterator[set[int]]:
    """Gathers the accounts that have something to send; whoever asks for it sends that, so that nobody else is told."""
    accounts: set[int] = set()
    before = _here.set(accounts)
    try:
        yield accounts
    finally:
        _here.reset(before)


def is_sent_here(account_id: int) -> bool:
    """Whether somebody further up sends what waits for the account."""
    accounts = _here.get()
    if accounts is None:
        return False
    accounts.add(account_id)
    return True


@dataclass(frozen=True, slots=True)
class Agent:
    """Who acts: for which account, through which broker, under which lease."""

    account: Account
    broker: Broker
    held: Held
    clock: Callable[[], datetime]


def _due(account_id: int, at: datetime) -> list[int]:
    waiting = Instruction.objects.filter(
        Q(not_before=None) | Q(not_before__lte=at), account=account_id, outcome=Outcome.WAITING
    )
    return list(waiting.order_by("pk").values_list("pk", flat=True))


def _work(agent: Agent) -> None:
    settle(agent)
    for _ in range(ROUNDS):
        due = _due(agent.account.pk, agent.clock())
        answers: list[Answered] = []
        try:
            for instruction_id in due:  # all are sent before anything is made of the answers
                if (answered := send(agent, instruction_id)) is not None:
                    answers.append(answered)  # noqa: PERF401  (what was answered before an exception counts)
        finally:
            _hear(agent, answers)
        if not pursuit.follow_up(account_id=agent.account.pk, at=agent.clock()) and not due:
            return


@transaction.atomic
def _refuse_unsent(account_id: int, message: str, at: datetime) -> None:
    """End what waits to be sent with a key that is not accepted: when there is another, what it was decided on is over."""
    account = lock_account(account_id)
    waiting = Order.objects.select_for_update(of=("self",)).select_related("deployment", "instrument")
    for order in waiting.filter(account=account, status=Status.NEW).order_by("pk"):
        order.account = account
        end(order, Status.REJECTED, Why("bad-credentials", message), at=at)


# -- one instruction ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answered:
    """What the venue said to an instruction: the order as it has it now, or nothing but that it was done."""

    instruction_id: int
    order_id: int
    told: VenueOrder | None


def send(agent: Agent, instruction_id: int) -> Answered | None:
    """Tell the venue one thing. Raises LeaseLost, and nothing else that an answer of the venue could cause."""
    order = _begin(agent, instruction_id)
    if order is None:
        return None
    agent.held.prolong()  # a worker that stood still in between finds that another one acts
    try:
        if order.instructions.get(pk=instruction_id).kind == Kind.SUBMIT:
            told: VenueOrder | None = agent.broker.submit(request_for(order))
        else:
            told = agent.broker.cancel(key_of(order))
    except Refused as refused:
        _refused(agent, instruction_id, refused)
    except RateLimited as limited:
        _put_off(agent, instruction_id, limited.message, timedelta(seconds=limited.retry_after))
    except NotSent as error:
        _put_off(agent, instruction_id, error.message, None)
    except BadCredentials as error:
        _put_off(agent, instruction_id, error.message, None, final="bad-credentials")
        heard(agent.account.pk, error, at=agent.clock())
    except OutcomeUnknown as error:
        _doubted(agent, instruction_id, error.message)
        settle(agent)
    else:
        return Answered(instruction_id, order.pk, told)
    return None


def key_of(order: Order) -> OrderKey:
    # What the venue has and nobody here placed is known to it by its own number alone.
    ours = "" if order.purpose == Order.Purpose.ADOPTED else order.client_order_id
    return OrderKey(ours, symbol_of(order.account, order.instrument), order.venue_order_id)


def request_for(order: Order) -> OrderRequest:
    return OrderRequest(
        client_order_id=order.client_order_id,
        symbol=symbol_of(order.account, order.instrument),
        side=Side(order.side),
        type=Type(order.type),
        quantity=order.quantity,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        time_in_force=TimeInForce(order.time_in_force),
        decided_at=order.decided_at,
        good_till=order.good_till,
        blind=order.purpose == Order.Purpose.PANIC,
    )


@transaction.atomic
def _begin(agent: Agent, instruction_id: int) -> Order | None:
    """Commit that it is being sent, under this lease; None if it is no longer to be."""
    instruction, order = _locked(agent, instruction_id)
    agent.held.check()
    at = agent.clock()
    if instruction.outcome != Outcome.WAITING:
        return None
    if instruction.kind == Kind.SUBMIT:
        if order.status != Status.NEW:
            _close(instruction, Outcome.DROPPED, "", at)
            return None
        if objection := pursuit.objection_before_sending(order, at=at):
            end(order, Status.REJECTED, objection, at=at)
            return None
        order.status = Status.SUBMITTING
    else:
        if order.status in OVER:
            _close(instruction, Outcome.DROPPED, "", at)
            return None
        if order.status not in AT_VENUE:  # what is unknown is asked for first
            instruction.not_before = at + timedelta(seconds=1)
            instruction.save(update_fields=["not_before"])
            return None
        order.status = Status.CANCELLING
    order.sent_at = order.updated_at = at
    order.save(update_fields=["status", "sent_at", "updated_at"])
    instruction.outcome, instruction.token, instruction.sent_at = Outcome.SENDING, agent.held.token, at
    instruction.attempts += 1
    instruction.save(update_fields=["outcome", "token", "sent_at", "attempts"])
    return order


def _locked(agent: Agent, instruction_id: int) -> tuple[Instruction, Order]:
    account = lock_account(agent.account.pk)
    instruction = Instruction.objects.select_for_update().get(pk=instruction_id)
    order = (
        Order.objects.select_for_update(of=("self",))
        .select_related("deployment", "instrument__venue", "evaluation")
        .get(pk=instruction.order_id)
    )
    order.account = account
    if order.deployment is not None:
        order.deployment.account = account
    return instruction, order


def _close(instruction: Instruction, outcome: str, answer: str, at: datetime) -> None:
    instruction.outcome, instruction.answer, instruction.answered_at = outcome, answer[:300], at
    instruction.save(update_fields=["outcome", "answer", "answered_at"])


def _hear(agent: Agent, answers: list[Answered]) -> None:
    """What the venue answered is a fact, whoever has the lease now.

    Executions are booked first: as long as they are not, their orders are in doubt, and whoever comes next asks again.
    """
    filled = [one for one in answers if one.told is not None and one.told.filled]
    for one in filled:
        assert one.told is not None
        _write_number(one.order_id, one.told)
    if filled:
        collect_fills(agent)
    for one in answers:
        with transaction.atomic():
            instruction, order = _locked(agent, one.instruction_id)
            _close(instruction, Outcome.DONE, one.told.state if one.told else "", agent.clock())
            if one.told is not None:
                believe(order, one.told, at=agent.clock())
        if one.told is None:
            ask(agent, one.order_id)


def _refused(agent: Agent, instruction_id: int, refused: Refused) -> None:
    at = agent.clock()
    with transaction.atomic():
        instruction, order = _locked(agent, instruction_id)
        submitted = instruction.kind == Kind.SUBMIT
        if submitted and refused.code != "duplicate-id":
            _close(instruction, Outcome.REFUSED, refused.message, at)
            if order.status == Status.SUBMITTING:
                end(order, Status.REJECTED, Why(refused.code, refused.message), at=at)
            return
        if submitted:
            # It has our order already: an answer was lost on the way.
            _close(instruction, Outcome.DONE, refused.message, at)
        else:
            _close(instruction, Outcome.REFUSED, refused.message, at)
    ask(agent, order.pk)


def _put_off(agent: Agent, instruction_id: int, message: str, wait: timedelta | None, *, final: str = "") -> None:
    """It provably did not reach the venue's books: later, or not at all if it waited long enough."""
    at = agent.clock()
    with transaction.atomic():
        instruction, order = _locked(agent, instruction_id)
        submitted = instruction.kind == Kind.SUBMIT
        if submitted and order.status == Status.SUBMITTING:
            order.status = Status.NEW
            order.save(update_fields=["status"])
        if final or (submitted and at - order.created_at >= PATIENCE):
            _close(instruction, Outcome.REFUSED, message, at)
            if submitted:
                end(order, Status.REJECTED, Why(final or "not-sent", message), at=at)
            return
        place = min(instruction.attempts, len(BACKOFF)) - 1
        instruction.outcome, instruction.answer = Outcome.WAITING, message[:300]
        instruction.not_before = at + (wait or timedelta(seconds=BACKOFF[place]))
        instruction.save(update_fields=["outcome", "answer", "not_before"])


def _doubted(agent: Agent, instruction_id: int, message: str) -> None:
    at = agent.clock()
    with transaction.atomic():
        instruction, order = _locked(agent, instruction_id)
        _close(instruction, Outcome.UNKNOWN, message, at)
        doubt(order, at=at)


# -- what nobody knows ------------------------------------------------------------------------------------------------


def settle(agent: Agent) -> None:
    """Find out about every order whose state is in doubt, those of workers that are gone included."""
    orphans = Instruction.objects.filter(account=agent.account, outcome=Outcome.SENDING).exclude(token=agent.held.token)
    for pk in list(orphans.values_list("pk", flat=True)):
        _doubted(agent, pk, "Whoever sent it is gone.")
    unknown = Order.objects.filter(account=agent.account, status=Status.UNKNOWN).exclude(purpose=Order.Purpose.ADOPTED)
    for pk in list(unknown.order_by("pk").values_list("pk", flat=True)):
        ask(agent, pk)


def ask(agent: Agent, order_id: int) -> None:
    """Ask the venue for one order and believe what it shows. What it does not show never arrived, once it no longer can."""
    order = Order.objects.select_related("account", "instrument__venue").get(pk=order_id)
    asked_at = agent.clock()
    try:
        told = agent.broker.order(key_of(order))
    except BrokerError as error:
        logger.info("order %s stays %s: %s", order.client_order_id, order.status, error.message)
        return
    if told is not None and told.filled > order.filled_quantity:
        _write_number(order_id, told)
        collect_fills(agent)
    with transaction.atomic():
        account = lock_account(agent.account.pk)
        order = Order.objects.select_for_update(of=("self",)).select_related("deployment", "instrument").get(pk=order_id)
        order.account = account
        if told is not None:
            believe(order, told, at=agent.clock())
        elif order.purpose == Order.Purpose.ADOPTED and order.status not in OVER:
            end(order, Status.CANCELLED, Why("gone", "The venue shows it no longer."), at=asked_at)
        elif order.status not in OVER and _cannot_arrive(order, agent, asked_at):
            end(order, Status.REJECTED, Why("never-arrived", "The venue has no such order: it never arrived."), at=asked_at)
            record_order(order, events.ORDER_SETTLED, asked_at)


def _write_number(order_id: int, told: VenueOrder) -> None:
    """Most venues name executions by their own number of the order alone: it must be known before they are asked for."""
    Order.objects.filter(pk=order_id, venue_order_id="").update(venue_order_id=told.venue_order_id)


def _cannot_arrive(order: Order, agent: Agent, asked_at: datetime) -> bool:
    """Whether what was sent can no longer reach the venue's books: only then does "no such order" prove anything."""
    return order.sent_at is None or asked_at - order.sent_at >= agent.broker.capabilities.valid_for


def refresh(agent: Agent) -> None:
    """Look at all that works at the venue: orders that came or ended without us, and executions. Raises BrokerError."""
    shown = [order_told(account_id=agent.account.pk, told=one, at=agent.clock()) for one in agent.broker.open_orders()]
    there = [order.pk for order in shown if order is not None]
    ours = Order.objects.filter(account=agent.account, status__in=AT_VENUE).exclude(pk__in=there)
    for pk in list(ours.order_by("pk").values_list("pk", flat=True)):
        ask(agent, pk)
    _book_new(agent)


def collect_fills(agent: Agent) -> None:
    """Book every execution that the venue tells since the newest known, if it answers; whoever looks next asks again."""
    try:
        _book_new(agent)
    except (Unavailable, RateLimited, BadCredentials) as error:
        logger.info("fills of account %s are asked for later: %s", agent.account.pk, error.message)


def _book_new(agent: Agent) -> None:
    """Raises BrokerError."""
    newest = Fill.objects.filter(account=agent.account).order_by("-filled_at").values_list("filled_at", flat=True).first()
    since = min((newest or agent.account.created_at), agent.clock()) - OVERLAP
    touched = Q(status__in=OPEN) | Q(updated_at__gte=since)
    working = Order.objects.filter(touched, account=agent.account).values("instrument")
    # What is traded here may be traded by hand at the venue as well, with no order of ours under way.
    traded = Position.objects.filter(account=agent.account).values("instrument")
    instruments = Instrument.objects.filter(Q(pk__in=working) | Q(pk__in=traded))
    symbols = sorted({symbol_of(agent.account, one) for one in instruments})
    for told in agent.broker.fills_since(since, symbols):
        fill_told(account_id=agent.account.pk, told=told, at=agent.clock())
