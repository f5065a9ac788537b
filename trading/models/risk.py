"""What keeps trading within its limits over restarts: circuit breakers, the platform's own state, and panics."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from trading.models.accounts import Account


class Breakers(models.Model):
    """What an account's circuit breakers remember. Only ``trading.services.breakers`` writes it, with the account locked."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="breakers", primary_key=True)
    record = models.JSONField(help_text=_("With its version; read through trading.risk.breaker_records."))
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.account}"


class Platform(models.Model):
    """Whether the platform trades at all: the staff's kill switch. One row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    state = models.CharField(_("trading state"), max_length=11, choices=Account.State.choices, default=Account.State.ACTIVE)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    changed_at = models.DateTimeField(null=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name = _("platform")
        verbose_name_plural = _("platform")
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="platform_is_one"),
            # People whose orders stop are told why.
            models.CheckConstraint(
                condition=models.Q(state="active") | ~models.Q(reason=""), name="platform_restricted_for_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return str(self.get_state_display())


class Panic(models.Model):
    """Somebody wanted out of everything: when, and when nothing was left. Its steps are the account's PANIC orders."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="panics")
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    reason = models.CharField(max_length=300)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account"], condition=models.Q(done_at=None), name="panic_once_at_a_time"
            ),  # pressed twice, done once
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.started_at:%Y-%m-%d %H:%M}"
