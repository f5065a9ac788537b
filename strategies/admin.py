"""What staff can look at. Nothing of strategies is edited here: every write goes through a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from strategies.models import Run, Snapshot, UserStrategy

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


@admin.register(UserStrategy)
class UserStrategyAdmin(LookOnly):
    # What a strategy holds is its author's: staff see that it is there.
    list_display = ("name", "owner", "kind", "created_at", "archived_at")
    list_select_related = ("owner",)
    search_fields = ("name", "owner__email", "public_id")


@admin.register(Run)
class RunAdmin(LookOnly):
    list_display = ("public_id", "owner", "library", "version", "timeframe", "status", "reason", "created_at")
    list_select_related = ("owner", "version__strategy")
    list_filter = ("status", "reason")
    search_fields = ("owner__email", "public_id", "orders_hash")
    exclude: ClassVar = ("share_token", "printed")


@admin.register(Snapshot)
class SnapshotAdmin(LookOnly):
    list_display = ("instrument", "timeframe", "first_time", "last_time", "bars", "holes", "frozen", "created_at")
    list_select_related = ("instrument",)
    exclude: ClassVar = ("payload",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("payload")
