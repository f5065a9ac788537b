"""The event log, for staff to read."""

from typing import Any

from django.contrib import admin

from clusterx.events.models import Event


@admin.register(Event)
class EventAdmin(admin.ModelAdmin):
    list_display = ("id", "occurred_at", "stream", "type", "actor", "correlation_id")
    list_filter = ("type",)
    search_fields = ("stream__exact", "correlation_id__exact")  # both have an index
    list_select_related = ("actor",)
    ordering = ("-id",)
    show_full_result_count = False

    def has_add_permission(self, request: Any) -> bool:
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        return False
