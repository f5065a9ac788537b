"""The books of the paper venue: what it was told, what it executed. Nothing but its broker and its matching look at them."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from marketdata.models import Instrument
from trading.models.accounts import Account
from trading.models.fields import MONEY, QUANTITY
from trading.models.orders import Order


class PaperBook(models.Model):
    """One account at the paper venue. Its row lock serialises what the venue does for it."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="paper_book", primary_key=True)
    cash = models.DecimalField(**MONEY)
    volume_share = models.DecimalField(
        max_digits=5, decimal_places=4, null=True, help_text="Most of a bar's volume that one order takes; empty: all it wants."
    )
    latency = models.DurationField(default=timedelta(0), help_text="How long an order is under way, by our clock.")

    def __str__(self) -> str:
        return f"{self.cash.normalize():f}"


class PaperHolding(models.Model):
    """What the account holds at the paper venue, net of all that trade on it."""

    book = models.ForeignKey(PaperBook, on_delete=models.CASCADE, related_name="holdings")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    quantity = models.DecimalField(**QUANTITY, default=0)
    cost = models.DecimalField(**MONEY, default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["book", "instrument"], name="paper_holding_once")]

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f}"


class PaperOrder(models.Model):
    """An order as the paper venue has it."""

    class Status(models.TextChoices):
        OPEN = "open"
        FILLED = "filled"
        CANCELLED = "cancelled"
        REJECTED = "rejected"
        EXPIRED = "expired"

    book = models.ForeignKey(PaperBook, on_delete=models.CASCADE, related_name="orders")
    client_order_id = models.CharField(max_length=48)
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    side = models.CharField(max_length=4, choices=Order.Side.choices)
    type = models.CharField(max_length=10, choices=Order.Type.choices)
    quantity = models.DecimalField(**QUANTITY)
    filled_quantity = models.DecimalField(**QUANTITY, default=0)
    limit_price = models.DecimalField(**QUANTITY, null=True)
    stop_price = models.DecimalField(**QUANTITY, null=True)
    time_in_force = models.CharField(max_length=3, choices=Order.TimeInForce.choices)
    reduce_only = models.BooleanField(default=False)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.OPEN)
    reason = models.CharField(max_length=300, blank=True)
    is_blind = models.BooleanField(default=False, help_text="Filled at the last price there was, however old.")
    decided_at = models.DateTimeField()
    good_till = models.DateTimeField(null=True)
    triggered_at = models.DateTimeField(null=True, help_text="When the price went through the stop, by the venue's clock.")
    seen_until = models.DateTimeField(null=True, help_text="Opening time of the newest bar that it was matched with.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["book", "client_order_id"], name="paper_order_once"),
            models.CheckConstraint(condition=Q(filled_quantity__lte=F("quantity")), name="paper_order_not_overfilled"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["instrument"], condition=Q(status="open"), name="paper_order_open"
            ),  # looked at as prices move
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity.normalize():f} {self.status}"


class PaperFill(models.Model):
    """An execution at the paper venue."""

    order = models.ForeignKey(PaperOrder, on_delete=models.CASCADE, related_name="fills")
    book = models.ForeignKey(PaperBook, on_delete=models.CASCADE, related_name="fills")
    quantity = models.DecimalField(**QUANTITY)
    price = models.DecimalField(**QUANTITY)
    fee = models.DecimalField(**MONEY)
    is_maker = models.BooleanField(default=False)
    market_time = models.DateTimeField()
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [models.Index(fields=["book", "at"], name="paper_fill_newest")]

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f} at {self.price.normalize():f}"
