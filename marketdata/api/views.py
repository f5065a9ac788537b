"""REST of market data: readable by everybody; watchlists by their owner alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import orjson
from django.http import Http404, HttpResponse
from django.utils.cache import patch_vary_headers
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clusterx.accounts.models import User
from clusterx.live.publish import kept
from marketdata import selectors
from marketdata.api import serializers
from marketdata.bars import Bars
from marketdata.models import Instrument, Watchlist
from marketdata.services import watchlists
from marketdata.store import BarStore
from marketdata.timeframes import Timeframe

LATEST = 2**33  # seconds: the year 2242


def instrument_or_404(ref: str) -> Instrument:
    found = Instrument.objects.filter(ref=ref, is_active=True).select_related("venue").first()
    if found is None:
        raise Http404(f"there is no instrument {ref}")
    return found


def asked(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def as_json(data: dict[str, Any], *, seconds: int = 0) -> HttpResponse:
    """Straight to JSON: rows of numbers go through no serializer."""
    body = orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY, default=str)
    cache = f"public, max-age={seconds}" if seconds else "no-store"
    return HttpResponse(body, content_type="application/json", headers={"Cache-Control": cache})


def span(instrument: Instrument, wanted: dict[str, Any]) -> tuple[Bars, Timeframe, bool]:
    """The bars asked for, and whether the span has more than ``limit``: later ones where it has a start, else earlier ones."""
    timeframe, limit, forward = Timeframe.of(wanted["timeframe"]), wanted["limit"], "start" in wanted
    end = wanted.get("before", wanted.get("end"))
    bars = BarStore().read(instrument.pk, timeframe.name, start=wanted.get("start"), end=end, limit=limit + 1, oldest=forward)
    more = len(bars) > limit
    return bars[:limit] if forward else bars.tail(limit), timeframe, more


class PublicView(APIView):
    permission_classes = (AllowAny,)


class InstrumentList(PublicView):
    @extend_schema(parameters=[serializers.ListInput], responses=serializers.InstrumentPage, operation_id="instruments_list")
    def get(self, request: Request) -> Response:
        """Instruments with last price, change over a day and a sparkline."""
        wanted = asked(serializers.ListInput(data=request.query_params))
        page, size = wanted.pop("page"), wanted.pop("page_size")
        found = list(selectors.instruments(**wanted)[(page - 1) * size : page * size + 1])
        more, listed = len(found) > size, selectors.summaries(found[:size])

        def url(number: int) -> str:
            query = request.GET.copy()
            query["page"] = str(number)
            return request.build_absolute_uri(f"?{query.urlencode()}")

        return Response(
            {
                "next": url(page + 1) if more else None,
                "previous": url(page - 1) if page > 1 else None,
                "results": [selectors.described(summary) for summary in listed],
            }
        )


class InstrumentDetail(PublicView):
    @extend_schema(responses=serializers.InstrumentOutput)
    def get(self, request: Request, ref: str) -> Response:
        """One instrument."""
        return Response(selectors.described(selectors.summaries([instrument_or_404(ref)])[0]))


class Candles(PublicView):
    @extend_schema(parameters=[serializers.SpanInput], responses=serializers.CandlesOutput)
    def get(self, request: Request, ref: str) -> HttpResponse:
        """Closed bars, oldest first, and the forming one."""
        wanted = asked(serializers.SpanInput(data=request.query_params))
        instrument = instrument_or_404(ref)
        bars, timeframe, more = span(instrument, wanted)
        forward = "start" in wanted
        newest = "before" not in wanted and "end" not in wanted and not (forward and more)
        last = int(bars.time[-1]) if len(bars) else 0
        data = {
            "instrument": instrument.ref,
            "timeframe": timeframe.name,
            "candles": list(bars.rows()),
            "forming": selectors.forming(f"candles/{ref}/{timeframe}", last) if newest else None,
            "sequence": last // timeframe.seconds if len(bars) else None,
            "before": int(bars.time[0]) if more and not forward else None,
            "after": last + timeframe.seconds if more and forward else None,
        }
        return as_json(data, seconds=60 if more and not newest else 0)


class Indicators(PublicView):
    @extend_schema(parameters=[serializers.IndicatorsInput], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, ref: str) -> HttpResponse:
        """Indicators over the same span of bars as candles; null where there is no value."""
        from marketdata.services import indicators

        query = request.query_params.dict() | {"spec": request.query_params.getlist("spec")}
        wanted = asked(serializers.IndicatorsInput(data=query))
        specs = [indicators.parse(spec) for spec in wanted["spec"]]
        instrument = instrument_or_404(ref)
        bars, timeframe, _ = span(instrument, wanted)
        computed = indicators.over(instrument, timeframe, bars, specs)
        return as_json({"instrument": instrument.ref, "timeframe": timeframe.name, "time": bars.time, "indicators": computed})


class Signals(PublicView):
    @extend_schema(parameters=[serializers.SpanInput], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, ref: str) -> Response:
        """What indicators detected: crosses, trend starts, breaks of structure."""
        wanted = asked(serializers.SpanInput(data=request.query_params))
        instrument = instrument_or_404(ref)
        start, end = wanted.get("start", 0), wanted.get("before", wanted.get("end", LATEST))
        found = selectors.signals_of(
            instrument,
            wanted["timeframe"],
            start=datetime.fromtimestamp(min(start, LATEST), UTC),
            end=datetime.fromtimestamp(min(end, LATEST), UTC),
            limit=wanted["limit"],
        )
        results = [
            {
                "id": signal.pk, "time": int(signal.time.timestamp()), "indicator": signal.indicator, "kind": signal.kind,
                "direction": signal.direction, "label": signal.label, "price": signal.price,
            }
            for signal in found
        ]  # fmt: skip
        return Response({"instrument": ref, "timeframe": wanted["timeframe"], "results": results})


class Trades(PublicView):
    @extend_schema(parameters=[serializers.TradesInput], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, ref: str) -> HttpResponse:
        """The newest public trades, newest last."""
        wanted = asked(serializers.TradesInput(data=request.query_params))
        instrument = instrument_or_404(ref)
        return as_json({"instrument": ref, "trades": selectors.recent_trades(instrument, wanted["limit"])})


class Book(PublicView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, ref: str) -> HttpResponse:
        """The newest order book, best prices first; empty lists where there is none."""
        instrument_or_404(ref)
        book = kept(f"book/{ref}") or {"time": None, "sequence": None, "bids": [], "asks": []}
        return as_json({"instrument": ref} | book)


class IndicatorRegistry(PublicView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> HttpResponse:
        """Every indicator: its parameters with ranges, its outputs, where it is drawn."""
        from marketdata.services import indicators

        response = as_json({"indicators": indicators.described()}, seconds=300)
        # Labels are in the reader's language, which their browser, a cookie or their own settings say.
        patch_vary_headers(response, ("Accept-Language", "Cookie"))
        return response


class WatchlistList(APIView):
    @extend_schema(responses=serializers.WatchlistOutput(many=True), operation_id="watchlists_list")
    def get(self, request: Request) -> Response:
        """The signed-in person's watchlists."""
        found = watchlists.of(cast(User, request.user))
        return Response({"next": None, "previous": None, "results": serializers.WatchlistOutput(found, many=True).data})

    @extend_schema(request=serializers.WatchlistInput, responses={201: serializers.WatchlistOutput})
    def post(self, request: Request) -> Response:
        """Make a watchlist."""
        wanted = asked(serializers.WatchlistInput(data=request.data))
        made = watchlists.create(owner=cast(User, request.user), name=wanted["name"], refs=wanted.get("instruments", []))
        return Response(serializers.WatchlistOutput(made).data, status=status.HTTP_201_CREATED)


class WatchlistDetail(APIView):
    def _mine(self, request: Request, public_id: Any) -> Watchlist:
        found = watchlists.of(cast(User, request.user)).filter(public_id=public_id).first()
        if found is None:
            raise Http404("there is no such watchlist")
        return found

    @extend_schema(responses=serializers.WatchlistOutput)
    def get(self, request: Request, public_id: Any) -> Response:
        return Response(serializers.WatchlistOutput(self._mine(request, public_id)).data)

    @extend_schema(request=serializers.WatchlistInput, responses=serializers.WatchlistOutput)
    def patch(self, request: Request, public_id: Any) -> Response:
        """Rename it, or replace its instruments (their order is kept)."""
        mine = self._mine(request, public_id)
        wanted = asked(serializers.WatchlistInput(data=request.data, partial=True))
        changed = watchlists.change(watchlist_id=mine.pk, name=wanted.get("name"), refs=wanted.get("instruments"))
        return Response(serializers.WatchlistOutput(changed).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: Any) -> Response:
        self._mine(request, public_id).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)
