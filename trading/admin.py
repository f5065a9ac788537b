"""What staff can look at, and the platform's kill switch. Nothing is edited here: every write goes through a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from trading.models import (
    Account,
    Breakers,
    Connection,
    Deployment,
    Evaluation,
    Fill,
    Order,
    Panic,
    Platform,
    Position,
)
from trading.services.risk import set_platform

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class LookOnly(ModelAdmin):
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Account)
class AccountAdmin(LookOnly):
    list_display = ("name", "owner", "currency", "starting_balance", "cash", "created_at")
    list_select_related = ("owner",)
    search_fields = ("name", "owner__email", "public_id")


@admin.register(Connection)
class ConnectionAdmin(LookOnly):
    """Everything but what is sealed."""

    list_display = ("account", "broker", "market", "is_paper", "status", "checked_at", "answered_at")
    list_filter = ("broker", "status", "is_paper")
    list_select_related = ("account",)
    search_fields = ("account__name", "account__owner__email", "public_id", "venue_account")
    exclude = ("sealed",)


@admin.register(Deployment)
class DeploymentAdmin(LookOnly):
    list_display = ("strategy", "instrument", "timeframe", "account", "status", "started_at", "deleted_at")
    list_filter = ("status", "strategy", "timeframe")
    list_select_related = ("instrument", "account")
    search_fields = ("public_id", "account__owner__email", "instrument__ref")


@admin.register(Evaluation)
class EvaluationAdmin(LookOnly):
    list_display = ("bar_time", "deployment", "target", "outcome", "reason_code", "evaluated_at")
    list_filter = ("outcome", "reason_code")
    list_select_related: ClassVar = ["deployment__instrument"]
    search_fields = ("deployment__public_id", "correlation_id")


@admin.register(Order)
class OrderAdmin(LookOnly):
    list_display = ("created_at", "instrument", "side", "quantity", "status", "reason_code", "account")
    list_filter = ("status", "side", "reason_code")
    list_select_related = ("instrument", "account")
    search_fields = ("public_id", "client_order_id", "correlation_id", "account__owner__email")


@admin.register(Fill)
class FillAdmin(LookOnly):
    list_display = ("filled_at", "instrument", "side", "quantity", "price", "fee", "realised_pnl", "account")
    list_filter = ("side",)
    list_select_related = ("instrument", "account")
    search_fields = ("public_id", "venue_fill_id", "account__owner__email")


@admin.register(Position)
class PositionAdmin(LookOnly):
    list_display = ("instrument", "quantity", "average_price", "realised_pnl", "fees", "account", "updated_at")
    list_select_related = ("instrument", "account")
    search_fields = ("account__owner__email", "instrument__ref")


@admin.register(Breakers)
class BreakersAdmin(LookOnly):
    list_display = ("account", "updated_at")
    list_select_related = ("account",)
    search_fields = ("account__owner__email", "account__public_id")


@admin.register(Panic)
class PanicAdmin(LookOnly):
    list_display = ("started_at", "account", "started_by", "reason", "done_at")
    list_select_related = ("account", "started_by")
    search_fields = ("account__owner__email", "account__public_id")


class PlatformForm(forms.ModelForm):  # type: ignore[type-arg]
    """A change says why: everybody whose orders stop reads it."""

    why = forms.CharField(max_length=300, required=False, widget=forms.TextInput(attrs={"size": 80}))

    class Meta:
        model = Platform
        fields = ("state",)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "state" in self.changed_data and not str(cleaned.get("why", "")).strip():
            self.add_error("why", "Say why: everybody whose orders stop reads it.")
        return cleaned


@admin.register(Platform)
class PlatformAdmin(ModelAdmin):
    """The kill switch. One row: it is made where there is none, and never deleted."""

    form = PlatformForm
    list_display = ("state", "reason", "changed_at", "changed_by")
    readonly_fields = ("reason", "changed_at", "changed_by")
    fields = ("state", "why", "reason", "changed_at", "changed_by")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not Platform.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        person: Any = request.user
        saved = set_platform(state=form.cleaned_data["state"], reason=form.cleaned_data["why"], at=timezone.now(), actor=person)
        obj.pk, obj.reason = saved.pk, saved.reason
