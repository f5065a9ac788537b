"""Accounts, and who may act for them."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, Final

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from marketdata.models import Venue
from trading.models.fields import MONEY, QUANTITY
from trading.risk.profile import RiskProfile, from_json, profile, to_json

USUAL_APPETITE: Final = 5


def usual_risk() -> dict[str, Any]:
    """The risk profile that an account begins with."""
    return to_json(profile(USUAL_APPETITE))


class Account(models.Model):
    """Where orders go and money is counted."""

    class Kind(models.TextChoices):
        PAPER = "paper", _("Paper")
        BROKER = "broker", _("Broker")

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        REDUCE_ONLY = "reduce-only", _("Reduce only")
        HALTED = "halted", _("Halted")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="accounts")
    name = models.CharField(_("name"), max_length=60)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.PAPER)
    currency = models.CharField(_("currency"), max_length=8, default="USDT")
    starting_balance = models.DecimalField(_("starting balance"), **MONEY)
    cash = models.DecimalField(
        **MONEY, help_text=_("Starting balance plus the cash of every fill and cash flow; kept with them.")
    )
    fee_rate = models.DecimalField(_("fee"), max_digits=8, decimal_places=6, default="0.001")
    slippage_rate = models.DecimalField(_("slippage"), max_digits=8, decimal_places=6, default="0.0005")
    risk = models.JSONField(default=usual_risk, help_text=_("With its version; read through trading.risk.profile."))
    state = models.CharField(_("trading state"), max_length=11, choices=State.choices, default=State.ACTIVE)
    state_reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "name"], name="account_name_once"),  # a name tells them apart
            models.CheckConstraint(condition=models.Q(starting_balance__gt=0), name="account_starts_with_money"),
            models.CheckConstraint(
                condition=models.Q(fee_rate__gte=0, fee_rate__lt=1, slippage_rate__gte=0, slippage_rate__lt=1),
                name="account_rates_are_shares",  # a rate above one would make money out of nothing or take it all
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name

    @property
    def risk_profile(self) -> RiskProfile:
        return from_json(self.risk)


class Connection(models.Model):
    """How an account reaches its broker. The credentials are sealed: the trading worker alone opens them."""

    class Status(models.TextChoices):
        NEW = "new", _("Not tried yet")
        CONNECTED = "connected", _("Connected")
        FAILING = "failing", _("Failing")
        REVOKED = "revoked", _("Revoked")

    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="connection", primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    broker = models.CharField(_("broker"), max_length=40, help_text=_("As trading.brokers.registry names it."))
    market = models.CharField(_("market"), max_length=12, default="spot", help_text=_("Where one venue keeps markets apart."))
    venue = models.ForeignKey(
        Venue, on_delete=models.PROTECT, related_name="+", help_text=_("Whose instruments and prices it trades by.")
    )
    is_paper = models.BooleanField(_("paper money"), default=True)
    sealed = models.BinaryField(null=True, editable=False)
    hint = models.CharField(max_length=8, blank=True, help_text=_("The last characters of the key, to tell keys apart."))
    venue_account = models.CharField(max_length=60, blank=True, help_text=_("What the venue calls the account."))
    may_trade = models.BooleanField(null=True)
    may_withdraw = models.BooleanField(null=True)
    currency = models.CharField(
        _("money it trades with"), max_length=8, blank=True, help_text=_("Empty: what it holds most of at its first test.")
    )
    clock_skew = models.FloatField(null=True, help_text=_("Seconds that the venue's clock is ahead of ours."))
    asked_at = models.DateTimeField(null=True, help_text=_("When a test was asked for that is not over yet."))
    step = models.CharField(max_length=12, blank=True, help_text=_("What a test that is under way does now."))
    opened_at = models.DateTimeField(
        null=True, help_text=_("When the books begin, by the venue's clock: earlier trades are in what it began with.")
    )
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.NEW)
    status_reason = models.CharField(max_length=300, blank=True)
    checked_at = models.DateTimeField(null=True, help_text=_("When the venue last answered, or failed to."))
    answered_at = models.DateTimeField(null=True, help_text=_("When the venue last answered."))
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status="revoked", sealed=None) | ~models.Q(status="revoked"),
                name="connection_revoked_keeps_no_key",
            ),
            # A key that can take money away is never kept.
            models.CheckConstraint(condition=~models.Q(may_withdraw=True), name="connection_cannot_withdraw"),
        ]

    def __str__(self) -> str:
        return f"{self.broker} …{self.hint}"

    @property
    def context(self) -> str:
        """What its sealed credentials are bound to."""
        return f"broker-connection/{self.public_id}"


class Holding(models.Model):
    """Coins that an account had at its venue beside what is traded here: there at the start, deposited, or another's."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="coins_beside")
    currency = models.CharField(max_length=16)
    quantity = models.DecimalField(**QUANTITY)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["account", "currency"], name="holding_once")]

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f} {self.currency}"


class Difference(models.Model):
    """Something that the venue shows and the books do not, or the other way round, since when, and what came of it."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="differences")
    subject = models.CharField(max_length=60, help_text=_("A symbol or a currency, as the venue names it."))
    ours = models.DecimalField(**QUANTITY)
    venues = models.DecimalField(**QUANTITY)
    first_seen_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "subject"], condition=models.Q(resolved_at=None), name="difference_open_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.ours.normalize():f} here, {self.venues.normalize():f} there"


class Lease(models.Model):
    """Who acts for an account at its venue, until when by the database's clock.

    ``token`` rises whenever another worker takes over; what is written for a request to the venue names the token it was sent
    under, so that whoever comes next knows what was left behind by one that is gone.
    """

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="lease", primary_key=True)
    holder = models.CharField(max_length=80, blank=True, help_text=_("Empty: given back."))
    token = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.holder or '–'} #{self.token}"
