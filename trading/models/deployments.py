"""Strategies at work, and what they thought of each bar."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketdata.models import Instrument
from strategies.contract import Value, read
from strategies.library import LIBRARY, get
from strategies.wording import said
from trading.models.accounts import Account
from trading.models.fields import QUANTITY


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
    state = models.CharField(_("trading state"), max_length=11, choices=Account.State.choices, default=Account.State.ACTIVE)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(help_text=_("Bars that closed before this are not acted upon."))
    starts_after = models.DateTimeField(
        null=True,
        help_text=_("Opening time of the newest bar that was closed at the start: the first one acted upon comes after."),
    )
    stopped_at = models.DateTimeField(null=True)
    flatten_asked_at = models.DateTimeField(null=True, help_text=_("What it holds is being closed; empty: nobody asked."))
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
        WAITING = "waiting", _("Waits for an order to end")
        ORDERED = "ordered", _("Ordered")
        REJECTED = "rejected", _("Rejected")
        WARMING_UP = "warming-up", _("Not enough history")
        SKIPPED = "skipped", _("Too late to act on")
        FAILED = "failed", _("Failed")

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="evaluations")
    bar_time = models.DateTimeField(help_text=_("Opening time of the closed bar that was looked at."))
    evaluated_at = models.DateTimeField()
    target = models.FloatField(null=True, help_text=_("Exposure the strategy asked for, -1 to 1."))
    close = models.FloatField(null=True, help_text=_("The bar's close, which it was decided on."))
    atr = models.FloatField(null=True, help_text=_("Average true range of the last 14 bars."))
    wanted_stop = models.FloatField(null=True, help_text=_("The strategy's own stop."))
    stop_price = models.DecimalField(**QUANTITY, null=True, help_text=_("Where the position is given up."))
    bound_by = models.CharField(max_length=16, blank=True, help_text=_("What decided the size (trading.risk.sizing)."))
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    reason_code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    correlation_id = models.UUIDField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["deployment", "bar_time"], name="evaluation_once_per_bar"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["deployment"], condition=models.Q(outcome="waiting"), name="evaluation_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.bar_time:%Y-%m-%d %H:%M} {self.outcome}"
