"""Venues, instruments and gaps, for staff. The switch of a venue connects the stream to it or lets go of it."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clusterx.accounts.models import User
from marketdata.models import Gap, Instrument, Signal, Venue
from marketdata.services.markets import switch_venue


@admin.register(Venue)
class VenueAdmin(admin.ModelAdmin):
    list_display = ("code", "name", "mode", "provider", "is_enabled")
    list_filter = ("mode", "is_enabled")
    readonly_fields = ("is_enabled",)
    actions = ("connect", "disconnect")

    @admin.action(description=_("Connect"))
    def connect(self, request: HttpRequest, queryset: QuerySet[Venue]) -> None:
        self._switch(request, queryset.exclude(provider=""), True)

    @admin.action(description=_("Disconnect"))
    def disconnect(self, request: HttpRequest, queryset: QuerySet[Venue]) -> None:
        self._switch(request, queryset, False)

    def _switch(self, request: HttpRequest, chosen: QuerySet[Venue], enabled: bool) -> None:
        for venue in chosen:
            switch_venue(venue_id=venue.pk, enabled=enabled, actor=cast(User, request.user), at=timezone.now())
        messages.success(request, _("The stream follows within seconds."))


@admin.register(Instrument)
class InstrumentAdmin(admin.ModelAdmin):
    list_display = ("ref", "name", "kind", "tick_size", "lot_size", "base_timeframe", "is_active")
    list_filter = ("venue", "kind", "is_active")
    search_fields = ("ref", "name")
    readonly_fields = ("ref", "public_id")
    list_select_related = ("venue",)

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        return False  # its candles would be nobody's; switch it off instead


@admin.register(Gap)
class GapAdmin(admin.ModelAdmin):
    list_display = ("instrument", "timeframe", "start", "end", "status", "attempts", "found_at")
    list_filter = ("status", "timeframe")
    list_select_related = ("instrument",)

    def has_add_permission(self, request: Any) -> bool:
        return False


@admin.register(Signal)
class SignalAdmin(admin.ModelAdmin):
    list_display = ("time", "instrument", "timeframe", "indicator", "label", "price")
    list_filter = ("timeframe", "kind")
    list_select_related = ("instrument",)
    show_full_result_count = False

    def has_add_permission(self, request: Any) -> bool:
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return False
