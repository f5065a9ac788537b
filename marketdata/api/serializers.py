"""What the endpoints of market data take, and the shape of what they give."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from clusterx.api.fields import ChoiceField
from clusterx.api.inputs import Input
from marketdata.models import Instrument
from marketdata.services.watchlists import MOST_INSTRUMENTS
from marketdata.timeframes import TIMEFRAMES

MOST_BARS = 5000


class SpanInput(Input):
    """A timeframe and a span: the newest ``limit`` bars before ``before`` or ``end``, or the first ``limit`` from ``start``."""

    timeframe = ChoiceField(choices=list(TIMEFRAMES), default="1h")
    limit = serializers.IntegerField(min_value=1, max_value=MOST_BARS, default=1000)
    before = serializers.IntegerField(min_value=0, max_value=2**40, required=False, help_text=_("seconds since 1970"))
    start = serializers.IntegerField(min_value=0, max_value=2**40, required=False, help_text=_("seconds since 1970"))
    end = serializers.IntegerField(min_value=0, max_value=2**40, required=False, help_text=_("seconds since 1970"))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "before" in attrs and ("start" in attrs or "end" in attrs):
            raise serializers.ValidationError({"before": _("Use before, or start and end, not both.")})
        if "start" in attrs and "end" in attrs and attrs["end"] <= attrs["start"]:
            raise serializers.ValidationError({"end": _("end must be after start.")})
        return attrs


class IndicatorsInput(SpanInput):
    spec = serializers.ListField(child=serializers.CharField(max_length=120), min_length=1, max_length=12)


class ListInput(Input):
    q = serializers.CharField(max_length=60, required=False, default="", allow_blank=True)
    venue = serializers.CharField(max_length=24, required=False, default="", allow_blank=True)
    kind = ChoiceField(choices=Instrument.Kind.values, required=False, default="", allow_blank=True)
    page = serializers.IntegerField(min_value=1, max_value=10_000, default=1)
    page_size = serializers.IntegerField(min_value=1, max_value=200, default=100)


class TradesInput(Input):
    limit = serializers.IntegerField(min_value=1, max_value=500, default=100)


class VenueOutput(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    mode = serializers.CharField()
    connected = serializers.BooleanField()
    clock_rate = serializers.FloatField()


class InstrumentOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    ref = serializers.CharField()
    symbol = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    base = serializers.CharField()
    quote = serializers.CharField()
    venue = VenueOutput()
    tick_size = serializers.CharField()
    lot_size = serializers.CharField()
    min_notional = serializers.CharField()
    price_decimals = serializers.IntegerField()
    base_timeframe = serializers.CharField()
    has_ticks = serializers.BooleanField()
    price = serializers.FloatField(allow_null=True)
    change_24h = serializers.FloatField(allow_null=True)
    change_since = serializers.ChoiceField(choices=["24h", "previous-session"])
    reference = serializers.FloatField(allow_null=True)
    time = serializers.DateTimeField(allow_null=True)
    received_at = serializers.DateTimeField(allow_null=True)
    spark = serializers.ListField(child=serializers.FloatField())


class InstrumentPage(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = InstrumentOutput(many=True)


class CandlesOutput(serializers.Serializer[Any]):
    instrument = serializers.CharField()
    timeframe = serializers.CharField()
    candles = serializers.ListField(child=serializers.ListField(child=serializers.FloatField()))
    forming = serializers.ListField(child=serializers.FloatField(), allow_null=True)
    sequence = serializers.IntegerField(allow_null=True)
    before = serializers.IntegerField(allow_null=True)
    after = serializers.IntegerField(allow_null=True)


class WatchlistInput(Input):
    name = serializers.CharField(max_length=60)
    instruments = serializers.ListField(child=serializers.CharField(max_length=57), max_length=MOST_INSTRUMENTS, required=False)


class WatchlistOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField()
    instruments = serializers.SerializerMethodField()

    def get_instruments(self, watchlist: Any) -> list[str]:
        return [item.instrument.ref for item in watchlist.items.all()]
