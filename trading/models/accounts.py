"""Accounts, and who may act for them."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from trading.models.fields import MONEY


class Account(models.Model):
    """Where orders go and money is counted."""

    class Kind(models.TextChoices):
        PAPER = "paper", _("Paper")
        BROKER = "broker", _("Broker")

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
