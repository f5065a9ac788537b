"""What people read of what happened."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from clusterx.events.models import Event
from tests.factories import START, AccountFactory, InstrumentFactory
from trading import events
from trading.activity import described
from trading.models import Account
from trading.services.journal import record

pytestmark = pytest.mark.django_db


def fill(instrument: str, **changes: object) -> Event:
    """The news of one fill."""
    facts: dict = {
        "order": "o", "fill": "f", "deployment": "d", "strategy": "sma-cross", "instrument": instrument, "side": "buy",
        "quantity": "0.0139", "price": "61638.8", "fee": "0.8567793200", "realised_pnl": "0", "closed": False,
        "currency": "USDT",
    }  # fmt: skip
    account = Account.objects.first() or AccountFactory()
    return record(account=account, type=events.ORDER_FILLED, payload=events.FillNews(**facts | changes), at=START)


def sentence(event: Event, language: str = "en") -> str:
    with translation.override(language):
        return described([event])[0].text


def test_a_fill_is_told_in_the_digits_of_its_instrument_and_the_reader_s_language():
    ref = InstrumentFactory(base="BTC", tick_size=Decimal("0.01"), lot_size=Decimal("0.0001")).ref
    bought = fill(ref)
    assert sentence(bought) == f"Bought 0.0139\u00a0BTC on {ref} at 61,638.80, fee 0.86\u00a0USDT."
    assert sentence(bought, "fr") == f"Acheté 0,0139\u00a0BTC sur {ref} à 61\u00a0638,80, frais 0,86\u00a0USDT."


def test_what_a_sale_realised_has_its_sign_and_two_decimals():
    ref = InstrumentFactory().ref
    sold = fill(ref, side="sell", closed=True, realised_pnl="-1234.5678901234")
    assert "realised −1,234.57\u00a0USDT, fee 0.86\u00a0USDT." in sentence(sold)
    assert described([sold])[0].tone == "bad"


def test_an_instrument_that_is_gone_keeps_the_price_it_had():
    assert "at 61,638.8, fee" in sentence(fill("nowhere:GONE"))


def test_an_opening_names_its_money():
    payload = events.AccountNews("Coins", "EUR", "10000")
    opened = record(account=AccountFactory(), type=events.ACCOUNT_CREATED, payload=payload, at=START)
    assert sentence(opened) == "Account Coins opened with 10,000.00\u00a0EUR."


def test_four_events_cost_as_many_queries_as_one():
    told = [fill(InstrumentFactory().ref) for _ in range(4)]
    with CaptureQueriesContext(connection) as queries:
        assert len({one.text for one in described(told)}) == 4
    assert len(queries) == 1


def test_every_kind_of_news_has_its_sentence():
    """An event that nobody wrote a sentence for would be shown by its type."""
    ref = InstrumentFactory().ref
    order = events.OrderNews("o", "d", "sma-cross", ref, "sell", "1500.5", "expired", "Because.")
    rejection = events.RejectionNews("d", "sma-cross", ref, "1m", "t", "buy", "1500.5", "code", "Because.")
    news = {
        events.ACCOUNT_CREATED: events.AccountNews("Coins", "EUR", "10000"),
        events.BARS_SKIPPED: events.SkippedNews("d", "sma-cross", ref, "1m", 3, "a", "b"),
        events.PROPOSAL_REJECTED: rejection,
        events.DEPLOYMENT_MOVED: events.MoveNews("d", "sma-cross", ref, "1m", "elsewhere:BTC-USDT"),
        events.ORDER_FILLED: None,
        events.STATE_CHANGED: events.StateNews("halted", "active", "panic", "Because."),
        events.DIFFERENCE_FOUND: events.DifferenceNews("BTC", "1", "2"),
        events.DIFFERENCE_GONE: events.DifferenceNews("BTC", "2", "2"),
        events.MONEY_MOVED: events.MoneyNews("deposit", "100", "EUR", "7"),
        events.CONNECTION_CHANGED: events.ConnectionNews("failing", "No answer."),
        events.BREAKER_TRIPPED: events.BreakerNews("daily-loss", "0.021", "0.02", "reduce-only", ""),
        events.BREAKER_RESET: events.BreakerNews("losses", "3", "3", "block", "Looked at."),
        events.PROTECTION_MISSING: events.ProtectionNews("d", "sma-cross", ref, "1500.5", "90", "No."),
        events.PANIC_STARTED: events.PanicNews("1", "Why."),
        events.PANIC_DONE: events.PanicNews("1", "Why."),
        events.RISK_CHANGED: events.RiskNews(3, 5, {}),
        events.TERMS_CHANGED: events.TermsNews({}),
        events.DEPLOYMENT_STATE_CHANGED: events.DeploymentStateNews(
            "d", "sma-cross", ref, "1m", "halted", "active", "Because."
        ),
    }
    account = AccountFactory()
    kinds = [value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)]
    assert len(kinds) >= 12
    for kind in kinds:
        if kind in {events.ORDER_FILLED, events.PLATFORM_CHANGED}:  # told elsewhere; of no account
            continue
        payload = news.get(kind) or (order if kind.startswith("order.") else events.DeploymentNews("d", "sma-cross", ref, "1m"))
        text = sentence(record(account=account, type=kind, payload=payload, at=START))
        assert text != kind
        if "quantity" in asdict(payload):
            assert "1,500.5" in text
