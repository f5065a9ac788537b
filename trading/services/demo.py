"""Something that trades from the first minute, for whoever looks at the platform for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from clusterx.accounts.models import User
from clusterx.errors import DomainError
from marketdata.models import Instrument
from trading import events, selectors
from trading.brokers.paper.venue import match_order
from trading.models import Account, Deployment, PaperOrder
from trading.models.accounts import USUAL_APPETITE
from trading.risk.profile import profile, to_json
from trading.services.accounts import create_account
from trading.services.deployments import delete, deploy
from trading.services.dispatch import dispatch
from trading.services.journal import record

ACCOUNT: Final = "Paper"
BALANCE: Final = Decimal(10_000)

# (strategy, parameters, allocation, which of the venue's instruments). All are long only, because the demo's instruments are
# spot. The first two are worth watching; in a market that falls they rightly do nothing for a long while. The last two change
# their mind every few bars, on instruments that do not move as one, so that among fifteen bars one of the four buys in all but
# one of ten thousand cases (the tests count it). Small enough that a venue's day of costs (1440 bars of the simulation) stays
# below the daily loss limit.
DEPLOYMENTS: Final = (
    ("sma-cross", {"fast": 5, "slow": 20}, Decimal("0.03"), 0),
    ("macd", {"fast": 19, "slow": 39, "signal": 9}, Decimal("0.03"), 0),
    ("sma-cross", {"fast": 2, "slow": 4}, Decimal("0.005"), 1),
    ("sma-cross", {"fast": 2, "slow": 4}, Decimal("0.005"), 3),
)


@transaction.atomic
def ensure_demo(*, user: User, instruments: Sequence[Instrument], at: datetime) -> Account:
    """The user's demo account with its deployments at the venue of the first of ``instruments``; a second call changes nothing.

    The instruments' finest bars are used, because they close most often. What the user stopped or deleted stays so; what runs
    at a venue that is no longer connected moves to one that is.
    """
    account = selectors.accounts_of(user).filter(name=ACCOUNT).first()
    if account is None:
        account = create_account(owner=user, name=ACCOUNT, starting_balance=BALANCE, at=at)
        # What it deploys changes its mind every few bars and mostly loses a little: three losses in a row are its ordinary day.
        account.risk = to_json(profile(USUAL_APPETITE, {"consecutive_losses": 50}))
        account.save(update_fields=["risk"])
    deployable = set(selectors.deployable_instruments(account).values_list("pk", flat=True))
    connected = [one for one in instruments if one.pk in deployable]
    if not connected:
        return account
    if Deployment.objects.filter(account=account).exists():
        _move(account, connected, at=at)
        return account
    there = [one for one in connected if one.venue_id == connected[0].venue_id]
    for strategy, values, allocation, place in DEPLOYMENTS:
        if place >= len(there):
            continue
        deploy(
            account_id=account.pk,
            strategy=strategy,
            values=values,
            instrument_id=there[place].pk,
            timeframe=there[place].base_timeframe,
            allocation=allocation,
            at=at,
            actor=user,
        )
    return account


def _move(account: Account, connected: Sequence[Instrument], *, at: datetime) -> None:
    """Take what runs where no bar closes any more to where bars close."""
    stranded = selectors.deployments().filter(
        account=account, status=Deployment.Status.RUNNING, deleted_at=None, instrument__venue__is_enabled=False
    )
    for old in stranded.order_by("pk"):
        same = [one for one in connected if one.symbol == old.instrument.symbol]
        to = (same or connected)[0]
        finest = old.timeframe == old.instrument.base_timeframe or old.timeframe not in selectors.timeframes_for(to)
        try:
            new = deploy(
                account_id=account.pk,
                strategy=old.strategy,
                values=old.parameter_values,
                instrument_id=to.pk,
                timeframe=to.base_timeframe if finest else old.timeframe,
                allocation=old.allocation,
                at=at,
            )
        except DomainError:  # its strategy left the library; its owner decides
            continue
        delete(deployment_id=old.pk, at=at, close_position=True)
        # No fresh price will come, and what is held would tie money up for good.
        dispatch(account_id=account.pk, clock=lambda: at)
        for order in PaperOrder.objects.filter(book=account.pk, instrument=old.instrument, status=PaperOrder.Status.OPEN):
            match_order(order_id=order.pk, at=at, however_old=True)
        dispatch(account_id=account.pk, clock=lambda: at, look=True)
        payload = events.MoveNews(str(new.public_id), new.strategy, to.ref, new.timeframe, old.instrument.ref)
        record(account=account, type=events.DEPLOYMENT_MOVED, payload=payload, at=at, changed=(("deployment", new.pk),))
