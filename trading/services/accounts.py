"""Opening accounts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from clusterx.accounts.models import User
from clusterx.templatetags import figures
from trading import events, selectors
from trading.errors import InvalidBalance, NameTaken, TooMany, UnknownCurrency
from trading.models import Account, EquitySnapshot, PaperBook
from trading.services.journal import record

CURRENCIES: Final = ("USDT", "USD", "USDC", "EUR", "GBP")
MINIMUM_BALANCE: Final = Decimal(100)
MAXIMUM_BALANCE: Final = Decimal(100_000_000)
ACCOUNTS_LIMIT: Final = 20


def create_account(*, owner: User, name: str, starting_balance: Decimal, at: datetime, currency: str = "USDT") -> Account:
    """Open a paper account.

    Raises
    ------
    InvalidBalance
        If ``starting_balance`` is not a whole number of cents within 100..100,000,000.
    UnknownCurrency
        If accounts are not kept in ``currency``.
    NameTaken
        If the owner has an account called ``name``.
    TooMany
        If the owner has 20 accounts.
    """
    if not starting_balance.is_finite() or not MINIMUM_BALANCE <= starting_balance <= MAXIMUM_BALANCE:
        raise InvalidBalance(
            _("The starting balance must be %(low)s..%(high)s, was %(found)s.")
            % {
                "low": figures.quantity(MINIMUM_BALANCE),
                "high": figures.quantity(MAXIMUM_BALANCE),
                "found": starting_balance,
            },
            field="starting_balance",
        )
    if starting_balance != starting_balance.quantize(Decimal("0.01")):
        raise InvalidBalance(
            _("The starting balance must have two decimals at most, was %(found)s.") % {"found": starting_balance},
            field="starting_balance",
        )
    if currency not in CURRENCIES:
        raise UnknownCurrency(
            _("The currency must be one of %(offered)s, was %(found)s.")
            % {"offered": ", ".join(CURRENCIES), "found": currency},
            field="currency",
        )
    if Account.objects.filter(owner=owner).count() >= ACCOUNTS_LIMIT:
        raise TooMany(_("A person may have %(limit)s accounts.") % {"limit": ACCOUNTS_LIMIT}, limit=ACCOUNTS_LIMIT)
    try:
        with transaction.atomic():
            account = Account.objects.create(
                owner=owner,
                name=name,
                currency=currency,
                starting_balance=starting_balance,
                cash=starting_balance,
                created_at=at,
            )
            PaperBook.objects.create(account=account, cash=starting_balance)
            account.refresh_from_db()  # the rates are what the columns hold, no longer the defaults' text
            EquitySnapshot.objects.create(
                account=account,
                at=at,
                cash=starting_balance,
                positions_value=0,
                equity=starting_balance,
                day=selectors.day_of(at),
                day_start_equity=starting_balance,
            )
            payload = events.AccountNews(name, currency, events.text(starting_balance))
            record(account=account, type=events.ACCOUNT_CREATED, payload=payload, at=at, actor=owner)
    except IntegrityError as error:
        # Two requests may pass any check made before; the constraint is what holds.
        if "account_name_once" not in str(error):
            raise
        raise NameTaken(_("You have an account called “%(name)s” already.") % {"name": name}, field="name") from None
    return account
