"""Rows for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import factory

from clusterx.accounts.models import User
from marketdata.models import Instrument, Venue
from trading.models import Account, Deployment, PaperBook
from trading.risk.parameters import PARAMETERS
from trading.risk.profile import profile, to_json

START = datetime(2024, 8, 9, tzinfo=UTC)


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"person{n}@example.com")
    name = factory.Sequence(lambda n: f"Person {n}")
    password = factory.django.Password("a long enough password")


class VenueFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Venue
        django_get_or_create = ("code",)

    code = "recorded"
    name = "Binance, recorded"
    mode = Venue.Mode.RECORDED
    provider = "binance"
    is_enabled = True


class InstrumentFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Instrument

    venue = factory.SubFactory(VenueFactory)
    base = factory.Sequence(lambda n: f"COIN{n}")
    quote = "USDT"
    symbol = factory.LazyAttribute(lambda o: f"{o.base}-{o.quote}")
    venue_symbol = factory.LazyAttribute(lambda o: f"{o.base}{o.quote}")
    name = factory.LazyAttribute(lambda o: o.base.title())
    tick_size = Decimal("0.01")
    lot_size = Decimal("0.00001")
    min_notional = Decimal("5")


def limits(**overrides: str | int) -> dict[str, object]:
    """A risk profile that is in nobody's way, but for ``overrides``: tests of other things are not about limits."""
    wide = {
        one.name: one.maximum if one.direction == "rises" else one.minimum
        for one in PARAMETERS
        if not one.choices and one.name not in {"stop_distance", "price_age", "leverage"}
    }
    wide |= {"maximum_position": "0.5", "daily_loss": "0.02", "leverage": "1", "price_age": 60}
    return to_json(profile(5, wide | overrides))


class AccountFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Account
        skip_postgeneration_save = True

    owner = factory.SubFactory(UserFactory)
    name = factory.Sequence(lambda n: f"Paper {n}")
    starting_balance = Decimal("10000")
    cash = factory.SelfAttribute("starting_balance")
    risk = factory.LazyFunction(limits)
    created_at = START

    @factory.post_generation
    def paper_book(self, create: bool, extracted: object, **_: object) -> None:
        """What the account has at the paper venue."""
        if create and self.kind == Account.Kind.PAPER:
            PaperBook.objects.create(account=self, cash=self.cash)


class DeploymentFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Deployment

    account = factory.SubFactory(AccountFactory)
    strategy = "sma-cross"
    parameters = factory.LazyFunction(lambda: {"version": 1, "values": {"fast": 3, "slow": 8}})
    instrument = factory.SubFactory(InstrumentFactory)
    timeframe = "1m"
    created_at = START
    started_at = START
