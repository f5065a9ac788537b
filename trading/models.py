"""Accounts, deployments, and the facts of trading. Money and quantities are Decimal.

The facts are fills: positions and cash are derived from them and kept beside them in the same transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from marketdata.models import Instrument
from strategies.contract import Value, read
from strategies.library import LIBRARY, get
from strategies.wording import said

MONEY: Final[dict[str, Any]] = {"max_digits": 28, "decimal_places": 10}
QUANTITY: Final[dict[str, Any]] = {"max_digits": 28, "decimal_places": 12}


class Account(models.Model):
    """Where orders go and money is counted. Only paper accounts so far."""

    class Kind(models.TextChoices):
        PAPER = "paper", _("Paper")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="accounts")
    name = models.CharField(_("name"), max_length=60)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.PAPER)
    currency = models.CharField(_("currency"), max_length=8, default="USDT")
    starting_balance = models.DecimalField(_("starting balance"), **MONEY)
    cash = models.DecimalField(**MONEY, help_text=_("Starting balance plus the cash of every fill; kept with the fills."))
    fee_rate = models.DecimalField(_("fee"), max_digits=8, decimal_places=6, default="0.001")
    slippage_rate = models.DecimalField(_("slippage"), max_digits=8, decimal_places=6, default="0.0005")
    max_position_share = models.DecimalField(
        _("largest position, as a share of equity"), max_digits=5, decimal_places=4, default="0.5"
    )
    max_daily_loss_share = models.DecimalField(
        _("daily loss that stops new risk, as a share of equity"), max_digits=5, decimal_places=4, default="0.02"
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "name"], name="account_name_once"),  # a name tells them apart
            models.CheckConstraint(condition=models.Q(starting_balance__gt=0), name="account_starts_with_money"),
            models.CheckConstraint(
                condition=models.Q(
                    fee_rate__gte=0, fee_rate__lt=1, slippage_rate__gte=0, slippage_rate__lt=1,
                    max_position_share__gt=0, max_position_share__lte=1,
                    max_daily_loss_share__gt=0, max_daily_loss_share__lte=1,
                ),
                name="account_rates_are_shares",  # a rate above one would make money out of nothing or take it all
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


class Deployment(models.Model):
    """A strategy at work: on one instrument and timeframe, for one account."""

    class Status(models.TextChoices):
        RUNNING = "running", _("Running")
        STOPPED = "stopped", _("Stopped")
        FAILED = "failed", _("Failed")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="deployments")
    strategy = models.CharField(_("strategy"), max_length=60, help_text=_("Its name in the library."))
    parameters = models.JSONField(default=dict, help_text=_("With its version; read through strategies.contract."))
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="deployments")
    timeframe = models.CharField(_("timeframe"), max_length=3)
    allocation = models.DecimalField(_("share of equity at full exposure"), max_digits=5, decimal_places=4, default="0.2")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.RUNNING)
    status_reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(help_text=_("Bars that closed before this are not acted upon."))
    starts_after = models.DateTimeField(
        null=True,
        help_text=_("Opening time of the newest bar that was closed at the start: the first one acted upon comes after."),
    )
    stopped_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True, help_text=_("Hidden from its owner; its orders and fills stay."))

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        indexes: ClassVar = [
            models.Index(
                fields=["instrument", "timeframe"],
                condition=models.Q(status="running"),
                name="deployment_on_bar",  # asked at every closed bar
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(allocation__gt=0, allocation__lte=1), name="deployment_allocation_is_a_share"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.strategy_label} · {self.instrument.ref} · {self.timeframe}"

    @property
    def is_running(self) -> bool:
        return self.status == self.Status.RUNNING

    @property
    def strategy_label(self) -> str:
        """The strategy's name for people; a strategy that left the library keeps its own name."""
        return said(LIBRARY[self.strategy].label) if self.strategy in LIBRARY else self.strategy

    @property
    def parameter_values(self) -> Mapping[str, Value]:
        """The checked parameters by name. Raises DomainError if the library no longer accepts them."""
        return read(get(self.strategy), self.parameters)


class Evaluation(models.Model):
    """One deployment looked at one bar: the key that makes a second delivery stop."""

    class Outcome(models.TextChoices):
        HOLD = "hold", _("No change")
        ORDERED = "ordered", _("Ordered")
        REJECTED = "rejected", _("Rejected")
        WARMING_UP = "warming-up", _("Not enough history")
        SKIPPED = "skipped", _("Too late to act on")
        FAILED = "failed", _("Failed")

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="evaluations")
    bar_time = models.DateTimeField(help_text=_("Opening time of the closed bar that was looked at."))
    evaluated_at = models.DateTimeField()
    target = models.FloatField(null=True, help_text=_("Exposure the strategy asked for, -1 to 1."))
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    reason_code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    correlation_id = models.UUIDField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["deployment", "bar_time"], name="evaluation_once_per_bar"),
        ]

    def __str__(self) -> str:
        return f"{self.bar_time:%Y-%m-%d %H:%M} {self.outcome}"


class Order(models.Model):
    """What an account asked the broker for."""

    class Side(models.TextChoices):
        BUY = "buy", _("Buy")
        SELL = "sell", _("Sell")

    class Status(models.TextChoices):
        NEW = "new", _("New")
        FILLED = "filled", _("Filled")
        REJECTED = "rejected", _("Rejected")
        CANCELLED = "cancelled", _("Cancelled")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="orders")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="orders")
    evaluation = models.OneToOneField(Evaluation, on_delete=models.PROTECT, related_name="order", null=True)
    client_order_id = models.CharField(max_length=48, unique=True, help_text=_("Derived from deployment and bar."))
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    side = models.CharField(max_length=4, choices=Side.choices)
    quantity = models.DecimalField(**QUANTITY)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.NEW)
    reason_code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    reference_price = models.FloatField(help_text=_("Close of the bar it was decided on."))
    correlation_id = models.UUIDField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="order_quantity_positive"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["status"], condition=models.Q(status="new"), name="order_waiting"),  # the paper broker's queue
            models.Index(fields=["account", "-created_at"], name="order_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity.normalize():f} {self.status}"


class Fill(models.Model):
    """An execution: the fact from which positions and cash follow."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="fills")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="fills")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    venue_fill_id = models.CharField(max_length=64)
    side = models.CharField(max_length=4, choices=Order.Side.choices)
    quantity = models.DecimalField(**QUANTITY)
    price = models.DecimalField(**QUANTITY)
    fee = models.DecimalField(**MONEY)
    realised_pnl = models.DecimalField(**MONEY, help_text=_("Before fees, in the account's currency."))
    market_time = models.DateTimeField(help_text=_("The venue's time of the price it filled at."))
    filled_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-filled_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "venue_fill_id"], name="fill_counted_once"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0, price__gt=0), name="fill_positive"),
        ]
        indexes: ClassVar = [models.Index(fields=["account", "-filled_at"], name="fill_newest")]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity.normalize():f} at {self.price.normalize():f}"


class Position(models.Model):
    """What a deployment holds: the sum of its fills. Negative is short."""

    deployment = models.OneToOneField(Deployment, on_delete=models.PROTECT, related_name="position", primary_key=True)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="positions")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    quantity = models.DecimalField(**QUANTITY, default=0)
    cost = models.DecimalField(
        **MONEY, default=0, help_text=_("Signed money that the open quantity cost: exact, where an average is rounded.")
    )
    average_price = models.DecimalField(**QUANTITY, default=0, help_text=_("Cost by quantity, for people to read."))
    realised_pnl = models.DecimalField(**MONEY, default=0)
    fees = models.DecimalField(**MONEY, default=0)
    opened_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            # A flat position that still cost something is a bug in the books.
            models.CheckConstraint(
                condition=models.Q(quantity=0, cost=0) | ~models.Q(quantity=0), name="position_flat_costs_nothing"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f}"


class EquitySnapshot(models.Model):
    """What an account was worth, marked to the market at one moment."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="equity_snapshots")
    at = models.DateTimeField()
    cash = models.DecimalField(**MONEY)
    positions_value = models.DecimalField(**MONEY)
    equity = models.DecimalField(**MONEY)
    day = models.DateField(help_text=_("What the account's clock showed."))
    day_start_equity = models.DecimalField(
        **MONEY, help_text=_("The last equity recorded while its clock showed another day; carried from one to the next.")
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "at"], name="equity_once_per_moment"),  # and the curve's index
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.equity.normalize():f}"
