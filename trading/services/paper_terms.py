"""What the paper venue charges and how well it executes: each account's own, as its owner wants to be tested."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from clusterx.accounts.models import User
from trading import events
from trading.errors import InvalidTerms
from trading.models import Account, PaperBook
from trading.services.journal import record

MOST_CHARGED: Final = Decimal("0.05")
LONGEST_LATENCY: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Terms:
    """Shares of the notional; ``volume_share`` is of a bar's volume, None for all that is wanted."""

    fee_rate: Decimal
    slippage_rate: Decimal
    latency: timedelta
    volume_share: Decimal | None


def terms_of(account: Account) -> Terms:
    book = PaperBook.objects.get(account=account)
    return Terms(account.fee_rate, account.slippage_rate, book.latency, book.volume_share)


@transaction.atomic
def change_terms(*, account_id: int, terms: Terms, at: datetime, actor: User) -> Terms:
    """From the next order that is matched on. What was executed stays as it was.

    Raises InvalidTerms.
    """
    _check(terms)
    account = Account.objects.select_for_update().get(pk=account_id)
    book = PaperBook.objects.select_for_update().get(account=account)
    before, after = _texts(Terms(account.fee_rate, account.slippage_rate, book.latency, book.volume_share)), _texts(terms)
    changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    if not changed:
        return terms
    account.fee_rate, account.slippage_rate = terms.fee_rate, terms.slippage_rate
    account.save(update_fields=["fee_rate", "slippage_rate"])
    book.latency, book.volume_share = terms.latency, terms.volume_share
    book.save(update_fields=["latency", "volume_share"])
    record(account=account, type=events.TERMS_CHANGED, payload=events.TermsNews(changed), at=at, actor=actor)
    return terms


def _check(terms: Terms) -> None:
    for field, rate in (("fee_rate", terms.fee_rate), ("slippage_rate", terms.slippage_rate)):
        if not 0 <= rate <= MOST_CHARGED:
            raise InvalidTerms(_("It must be 0 %% to 5 %%, was %(found)s %%.") % {"found": rate * 100}, field=field)
    if not timedelta(0) <= terms.latency <= LONGEST_LATENCY:
        seconds = terms.latency.total_seconds()
        raise InvalidTerms(_("It must be 0 to 60 seconds, was %(found)s.") % {"found": seconds}, field="latency")
    if terms.volume_share is not None and not 0 < terms.volume_share <= 1:
        found = terms.volume_share * 100
        raise InvalidTerms(
            _("It must be above 0 %% and at most 100 %%, was %(found)s %%.") % {"found": found}, field="volume_share"
        )


def _texts(terms: Terms) -> dict[str, str]:
    return {
        "fee_rate": events.text(terms.fee_rate),
        "slippage_rate": events.text(terms.slippage_rate),
        "latency": str(terms.latency.total_seconds()),
        "volume_share": events.optional(terms.volume_share),
    }
