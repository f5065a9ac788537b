"""Something that trades from the first minute, for whoever looks at the platform for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from clusterx.accounts.models import User
from marketdata.models import Instrument
from trading import selectors
from trading.models import Account, Deployment
from trading.services.accounts import create_account
from trading.services.deployments import deploy

ACCOUNT: Final = "Paper"
BALANCE: Final = Decimal(10_000)

# Quick enough to trade within two minutes of bars that close every few seconds, and slow and small enough that costs do not
# reach the daily loss limit within the hour. Long only, because the demo's instruments are spot.
DEPLOYMENTS: Final = (
    ("sma-cross", {"fast": 5, "slow": 20}, Decimal("0.1")),
    ("macd", {"fast": 19, "slow": 39, "signal": 9}, Decimal("0.1")),
)


@transaction.atomic
def ensure_demo(*, user: User, instruments: Sequence[Instrument], at: datetime) -> Account:
    """The user's demo account with its deployments on the first of ``instruments``; a second call changes nothing.

    The instrument's finest bars are used, because they close most often. What the user stopped or deleted stays so.
    """
    account = selectors.accounts_of(user).filter(name=ACCOUNT).first()
    if account is None:
        account = create_account(owner=user, name=ACCOUNT, starting_balance=BALANCE, at=at)
    if Deployment.objects.filter(account=account).exists():
        return account
    deployable = set(selectors.deployable_instruments(account).values_list("pk", flat=True))
    for instrument in [one for one in instruments if one.pk in deployable][:1]:
        for strategy, values, allocation in DEPLOYMENTS:
            deploy(
                account_id=account.pk,
                strategy=strategy,
                values=values,
                instrument_id=instrument.pk,
                timeframe=instrument.base_timeframe,
                allocation=allocation,
                at=at,
                actor=user,
            )
    return account
