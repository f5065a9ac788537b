"""Orders, what was sent for them, and what the venue executed."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketdata.models import Instrument
from trading.lifecycle import AT_VENUE, OPEN, OVER
from trading.models.accounts import Account
from trading.models.deployments import Deployment, Evaluation
from trading.models.fields import MONEY, QUANTITY


class Order(models.Model):
    """What an account asks the venue for. ``trading.lifecycle`` says what may become of it; a trigger holds to that."""

    class Side(models.TextChoices):
        BUY = "buy", _("Buy")
        SELL = "sell", _("Sell")

    class Type(models.TextChoices):
        MARKET = "market", _("Market")
        LIMIT = "limit", _("Limit")
        STOP = "stop", _("Stop")
        STOP_LIMIT = "stop-limit", _("Stop limit")

    class TimeInForce(models.TextChoices):
        GTC = "gtc", _("Until cancelled")
        DAY = "day", _("Today")
        IOC = "ioc", _("At once, the rest cancelled")
        FOK = "fok", _("At once and whole, or not at all")

    class Purpose(models.TextChoices):
        SIGNAL = "signal", _("Signal")
        STOP = "stop", _("Protective stop")
        CLOSE = "close", _("Closing")
        PANIC = "panic", _("Panic")
        MANUAL = "manual", _("By hand")
        ADOPTED = "adopted", _("Found at the venue")

    class Status(models.TextChoices):
        NEW = "new", _("New")
        SUBMITTING = "submitting", _("Being sent")
        ACCEPTED = "accepted", _("Working")
        PARTLY_FILLED = "partly-filled", _("Partly filled")
        FILLED = "filled", _("Filled")
        CANCELLING = "cancelling", _("Being cancelled")
        CANCELLED = "cancelled", _("Cancelled")
        REJECTED = "rejected", _("Rejected")
        EXPIRED = "expired", _("Expired")
        UNKNOWN = "unknown", _("Unknown")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="orders")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="orders", null=True)
    evaluation = models.ForeignKey(Evaluation, on_delete=models.PROTECT, related_name="orders", null=True)
    purpose = models.CharField(max_length=8, choices=Purpose.choices, default=Purpose.SIGNAL)
    client_order_id = models.CharField(max_length=48, unique=True, help_text=_("Made of what the order is for."))
    venue_order_id = models.CharField(max_length=64, blank=True)
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    side = models.CharField(max_length=4, choices=Side.choices)
    type = models.CharField(max_length=10, choices=Type.choices, default=Type.MARKET)
    quantity = models.DecimalField(**QUANTITY)
    limit_price = models.DecimalField(**QUANTITY, null=True)
    stop_price = models.DecimalField(**QUANTITY, null=True)
    time_in_force = models.CharField(max_length=3, choices=TimeInForce.choices, default=TimeInForce.GTC)
    filled_quantity = models.DecimalField(**QUANTITY, default=0)
    status = models.CharField(max_length=13, choices=Status.choices, default=Status.NEW)
    reason_code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    reference_price = models.FloatField(help_text=_("Close of the bar it was decided on, or the price that was shown."))
    decided_at = models.DateTimeField(help_text=_("The venue's time of what it rests upon."))
    good_till = models.DateTimeField(null=True, help_text=_("The venue's time after which it has no reason any more."))
    correlation_id = models.UUIDField()
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, help_text=_("When it was last handed to the venue."))
    accepted_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="order_quantity_positive"),
            models.CheckConstraint(
                condition=Q(filled_quantity__gte=0, filled_quantity__lte=F("quantity")), name="order_not_overfilled"
            ),
            models.CheckConstraint(
                condition=Q(status="filled", filled_quantity=F("quantity"))
                | ~Q(status="filled") & Q(filled_quantity__lt=F("quantity")),
                name="order_filled_when_whole",  # the status is what the fills say
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["new", "submitting", "accepted"]) | Q(filled_quantity=0),
                name="order_untouched_has_no_fill",
            ),
            models.CheckConstraint(
                condition=Q(type__in=["limit", "stop-limit"], limit_price__gt=0)
                | Q(type__in=["market", "stop"], limit_price=None),
                name="order_limit_price_of_its_type",
            ),
            models.CheckConstraint(
                condition=Q(type__in=["stop", "stop-limit"], stop_price__gt=0)
                | Q(type__in=["market", "limit"], stop_price=None),
                name="order_stop_price_of_its_type",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["account"],
                condition=~Q(status__in=["filled", "cancelled", "rejected", "expired"]),
                name="order_open",  # risk, reconciliation and the books ask at every step
            ),
            models.Index(fields=["account", "-created_at"], name="order_newest"),
            models.Index(fields=["account", "venue_order_id"], name="order_at_venue"),  # news names it so
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity.normalize():f} {self.status}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def is_over(self) -> bool:
        return self.status in OVER

    @property
    def is_at_venue(self) -> bool:
        return self.status in AT_VENUE

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled_quantity

    @property
    def signed_remaining(self) -> Decimal:
        """What may still be bought (positive) or sold."""
        return self.remaining if self.side == self.Side.BUY else -self.remaining


class Instruction(models.Model):
    """The outbox: something to tell the venue about an order. Written with the order, before the network is touched."""

    class Kind(models.TextChoices):
        SUBMIT = "submit", _("Submit")
        CANCEL = "cancel", _("Cancel")

    class Outcome(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENDING = "sending", _("Being sent")
        DONE = "done", _("Done")
        REFUSED = "refused", _("Refused")
        UNKNOWN = "unknown", _("Unknown")
        DROPPED = "dropped", _("No longer needed")

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="instructions")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="instructions")
    kind = models.CharField(max_length=6, choices=Kind.choices)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    token = models.BigIntegerField(null=True, help_text=_("The lease under which it was sent."))
    not_before = models.DateTimeField(null=True, help_text=_("When it is tried again; empty: at once."))
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            # Two of a kind under way for one order would be two orders at the venue.
            models.UniqueConstraint(
                fields=["order", "kind"], condition=Q(outcome__in=["waiting", "sending"]), name="instruction_once_under_way"
            ),
            models.UniqueConstraint(
                fields=["order"], condition=Q(kind="submit", outcome__in=["done", "unknown"]), name="instruction_submitted_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account"], condition=Q(outcome__in=["waiting", "sending"]), name="instruction_under_way"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.outcome}"


class Fill(models.Model):
    """An execution: the fact from which positions and cash follow."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="fills")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="fills", null=True)
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    venue_fill_id = models.CharField(max_length=100)
    side = models.CharField(max_length=4, choices=Order.Side.choices)
    quantity = models.DecimalField(**QUANTITY)
    price = models.DecimalField(**QUANTITY)
    fee = models.DecimalField(**MONEY, help_text=_("In the account's currency."))
    fee_currency = models.CharField(max_length=16, blank=True, help_text=_("What the fee was taken in; empty: the account's."))
    fee_quantity = models.DecimalField(
        **QUANTITY,
        default=0,
        help_text=_("How much of that. Of what was bought: the position is less by it. Of another: told."),
    )
    realised_pnl = models.DecimalField(**MONEY, help_text=_("Before fees, in the account's currency."))
    market_time = models.DateTimeField(help_text=_("The venue's time of the execution."))
    filled_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-filled_at", "-id"]
        constraints: ClassVar = [
            # Venues number executions by instrument.
            models.UniqueConstraint(fields=["account", "instrument", "venue_fill_id"], name="fill_counted_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0, price__gt=0), name="fill_positive"),
        ]
        indexes: ClassVar = [models.Index(fields=["account", "-filled_at"], name="fill_newest")]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity.normalize():f} at {self.price.normalize():f}"
