"""What follows from fills: positions, and what an account is worth."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketdata.models import Instrument
from trading.models.accounts import Account
from trading.models.deployments import Deployment
from trading.models.fields import MONEY, QUANTITY


class Position(models.Model):
    """What a deployment holds: the sum of its fills. Negative is short.

    Without a deployment it is what the account holds beside them: bought by hand, or found at the venue.
    """

    deployment = models.OneToOneField(Deployment, on_delete=models.PROTECT, related_name="position", null=True)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="positions")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    quantity = models.DecimalField(**QUANTITY, default=0)
    cost = models.DecimalField(
        **MONEY, default=0, help_text=_("Signed money that the open quantity cost: exact, where an average is rounded.")
    )
    average_price = models.DecimalField(**QUANTITY, default=0, help_text=_("Cost by quantity, for people to read."))
    realised_pnl = models.DecimalField(**MONEY, default=0)
    fees = models.DecimalField(**MONEY, default=0)
    stop_price = models.DecimalField(
        **QUANTITY, null=True, help_text=_("Where the open quantity is given up; empty: it has no protection.")
    )
    target = models.FloatField(null=True, help_text=_("The exposure that it was last traded to."))
    stopped_out_of = models.FloatField(
        null=True, help_text=_("The exposure that its stop ended; empty once the strategy wants another.")
    )
    result_before = models.DecimalField(**MONEY, default=0, help_text=_("Realised less fees when it was opened."))
    opened_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            # A flat position that still cost something is a bug in the books.
            models.CheckConstraint(
                condition=models.Q(quantity=0, cost=0) | ~models.Q(quantity=0), name="position_flat_costs_nothing"
            ),
            models.UniqueConstraint(
                fields=["account", "instrument"],
                condition=models.Q(deployment=None),
                name="position_of_no_deployment_once",  # what is found twice is counted once
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account"], condition=~models.Q(quantity=0), name="position_held"),  # what is valued
        ]

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f}"


class CashFlow(models.Model):
    """Money that came to an account or left it without a trade. A fact, like a fill."""

    class Kind(models.TextChoices):
        DEPOSIT = "deposit", _("Deposit")
        WITHDRAWAL = "withdrawal", _("Withdrawal")
        FUNDING = "funding", _("Funding")
        INTEREST = "interest", _("Interest")
        DIVIDEND = "dividend", _("Dividend")
        FEE = "fee", _("Fee")
        OTHER = "other", _("Other")

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="cash_flows")
    venue_flow_id = models.CharField(max_length=100)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    amount = models.DecimalField(**MONEY, help_text=_("Signed, in the account's currency."))
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-occurred_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "venue_flow_id"], name="cash_flow_counted_once"),
            models.CheckConstraint(condition=~models.Q(amount=0), name="cash_flow_is_something"),
        ]

    @property
    def is_external(self) -> bool:
        """Whether the owner moved it: no part of what trading earned or cost."""
        return self.kind in {self.Kind.DEPOSIT, self.Kind.WITHDRAWAL}

    def __str__(self) -> str:
        return f"{self.kind} {self.amount.normalize():f}"


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
