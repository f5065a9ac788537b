"""REST of strategies and runs: the library for everybody, else each person their own; other people's ids do not exist."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from clusterx.accounts.models import User
from clusterx.api.pagination import NewestFirst
from strategies import selectors, trade_list
from strategies.api import serializers
from strategies.library import CATALOGUE
from strategies.models import Run, UserStrategy, Version
from strategies.services import runs as run_services
from strategies.services import strategies as strategy_services

RUN_ID = OpenApiParameter("public_id", OpenApiTypes.UUID, OpenApiParameter.PATH)


class VersionPages(NewestFirst):
    ordering = "-number"


class StrategyListView(APIView):
    """The library: what each strategy does and what may be set. It fits on one page."""

    permission_classes = (AllowAny,)

    @extend_schema(responses=serializers.StrategyOutput(many=True))
    def get(self, request: Request) -> Response:
        rows = serializers.StrategyOutput(CATALOGUE.values(), many=True).data
        return Response({"next": None, "previous": None, "results": rows})


@extend_schema_view(
    list=extend_schema(responses=serializers.OwnStrategyOutput(many=True)),
    retrieve=extend_schema(responses=serializers.OwnStrategyOutput),
)
class OwnStrategyViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[UserStrategy]):
    """Strategies that the person writes."""

    serializer_class = serializers.OwnStrategyOutput
    queryset = UserStrategy.objects.none()
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    filter_backends = ()

    def get_queryset(self) -> QuerySet[UserStrategy]:
        if getattr(self, "swagger_fake_view", False):
            return UserStrategy.objects.none()
        return selectors.strategies_of(_person(self.request))

    @extend_schema(request=serializers.OwnStrategyInput, responses={201: serializers.WholeVersionOutput})
    def create(self, request: Request) -> Response:
        """A new strategy; the answer is its first version."""
        given = _asked(serializers.OwnStrategyInput(data=request.data))
        version = strategy_services.create_strategy(owner=_person(request), at=timezone.now(), **given)
        return _version(version, status.HTTP_201_CREATED)

    @extend_schema(request=serializers.RenameInput, responses=serializers.OwnStrategyOutput)
    def partial_update(self, request: Request, public_id: str) -> Response:
        """Give it another name."""
        given = _asked(serializers.RenameInput(data=request.data))
        strategy_services.rename(strategy_id=self.get_object().pk, name=given["name"])
        return Response(serializers.OwnStrategyOutput(self.get_object()).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, public_id: str) -> Response:
        """Put it away; its versions, runs and results stay."""
        strategy_services.archive(strategy_id=self.get_object().pk, at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(methods=["get"], responses=serializers.VersionOutput(many=True))
    @extend_schema(methods=["post"], request=serializers.ContentInput, responses={201: serializers.WholeVersionOutput})
    @action(detail=True, methods=["get", "post"], pagination_class=VersionPages)
    def versions(self, request: Request, public_id: str) -> Response:
        """Its versions, newest first; or the next one. What the newest holds already is not saved again."""
        strategy = self.get_object()
        if request.method == "GET":
            page = self.paginate_queryset(selectors.versions_of(strategy)) or []  # type: ignore[arg-type, var-annotated]
            return self.get_paginated_response(serializers.VersionOutput(page, many=True).data)
        given = _asked(serializers.ContentInput(data=request.data))
        version = strategy_services.save_version(strategy_id=strategy.pk, at=timezone.now(), **given)
        return _version(version, status.HTTP_201_CREATED)

    @extend_schema(request=serializers.ForkInput, responses={201: serializers.WholeVersionOutput})
    @action(detail=True, methods=["post"])
    def fork(self, request: Request, public_id: str) -> Response:
        """Another strategy that begins with a version of this one: the newest, or ``version``."""
        strategy = self.get_object()
        given = _asked(serializers.ForkInput(data=request.data, context={"strategy": strategy}))
        chosen = given["version"] or strategy.versions.order_by("-number").first()
        if chosen is None:
            raise Http404
        version = strategy_services.fork(version_id=chosen.pk, owner=_person(request), name=given["name"], at=timezone.now())
        return _version(version, status.HTTP_201_CREATED)


class VersionView(APIView):
    """One version with what it holds and what was found out about it."""

    @extend_schema(responses=serializers.WholeVersionOutput)
    def get(self, request: Request, public_id: str) -> Response:
        try:
            return Response(serializers.WholeVersionOutput(selectors.version_of(_person(request), public_id)).data)
        except Version.DoesNotExist:
            raise Http404 from None


@extend_schema_view(retrieve=extend_schema(responses=serializers.WholeRunOutput))
class RunViewSet(mixins.RetrieveModelMixin, GenericViewSet[Run]):
    """Backtests."""

    serializer_class = serializers.WholeRunOutput
    queryset = Run.objects.none()
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Run]:
        if getattr(self, "swagger_fake_view", False):
            return Run.objects.none()
        return selectors.whole_runs().filter(owner=_person(self.request))

    @extend_schema(parameters=[serializers.RunFilter], responses=serializers.RunOutput(many=True))
    def list(self, request: Request) -> Response:
        """Runs, newest first."""
        wanted = _asked(serializers.RunFilter(data=request.query_params))
        fields = {
            "strategy": "library", "own_strategy": "version__strategy__public_id", "version": "version__public_id",
            "status": "status", "instrument": "legs__instrument__ref",
        }  # fmt: skip
        found = selectors.runs_of(_person(request)).filter(**{fields[name]: value for name, value in wanted.items()})
        page = self.paginate_queryset(found) or []
        return self.get_paginated_response(serializers.RunOutput(page, many=True).data)

    @extend_schema(request=serializers.RunInput, responses={201: serializers.RunOutput})
    def create(self, request: Request) -> Response:
        """Queue a run. Its stream, `runs/{id}`, tells how far it is."""
        given = _asked(serializers.RunInput(data=request.data, context={"request": request}))
        asked = run_services.RunRequest(**given)
        run = run_services.request_run(owner=_person(request), asked=asked, at=timezone.now())
        return _run(run, status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=serializers.RunOutput)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, public_id: str) -> Response:
        """End it, if it is not over; the worker stops at its next stage."""
        return _run(run_services.cancel_run(run_id=self.get_object().pk, at=timezone.now()))

    @extend_schema(request=None, responses={201: serializers.RunOutput})
    @action(detail=True, methods=["post"])
    def rerun(self, request: Request, public_id: str) -> Response:
        """Do it again with the very same bars; `reproduced` says whether the same hash came out."""
        run = run_services.rerun(run_id=self.get_object().pk, owner=_person(request), at=timezone.now())
        return _run(run, status.HTTP_201_CREATED)

    @extend_schema(methods=["post"], request=None, responses=serializers.ShareOutput)
    @extend_schema(methods=["delete"], request=None, responses={204: None})
    @action(detail=True, methods=["post", "delete"])
    def share(self, request: Request, public_id: str) -> Response:
        """A secret address under which anybody may see the result; or the end of it."""
        if request.method == "DELETE":
            run_services.unshare_run(run_id=self.get_object().pk)
            return Response(status=status.HTTP_204_NO_CONTENT)
        run = run_services.share_run(run_id=self.get_object().pk, at=timezone.now())
        return Response(serializers.ShareOutput(run).data)

    @extend_schema(parameters=[serializers.PointsInput], responses=serializers.ResultOutput)
    @action(detail=True, pagination_class=None)
    def result(self, request: Request, public_id: str) -> Response:
        """Its curves, thinned for charts, and its sensitivity."""
        return _result(self.get_object(), request)

    @extend_schema(parameters=[serializers.TradesInput], responses=serializers.TradePage)
    @action(detail=True, pagination_class=None)
    def trades(self, request: Request, public_id: str) -> Response:
        """Its trades in their order, by page."""
        wanted = _asked(serializers.TradesInput(data=request.query_params))
        run = self.get_object()
        trades = selectors.trades(run)
        page, size = wanted["page"], wanted["page_size"]
        first = (page - 1) * size

        def url(number: int) -> str:
            query = request.GET.copy()
            query["page"] = str(number)
            return request.build_absolute_uri(f"?{query.urlencode()}")

        return Response(
            {
                "next": url(page + 1) if first + size < len(trades) else None,
                "previous": url(page - 1) if page > 1 else None,
                "count": len(trades),
                "results": trade_list.rows(trades[first : first + size], _refs(run), first=first + 1),
            }
        )

    @extend_schema(responses=serializers.RobustnessOutput)
    @action(detail=True)
    def robustness(self, request: Request, public_id: str) -> Response:
        """Whether its result may be luck: evidence after all tries so far, and the tests that a worker made of it."""
        run = self.get_object()
        (shown, trials), tests = selectors.evidence_of(run), selectors.appraisal_of(run)
        return Response(
            {
                "trials": trials,
                "evidence": shown,
                "status": "waiting" if tests is None else "failed" if tests.reason else "done",
                "reason": tests.reason if tests is not None else "",
                "appraisal": tests.told if tests is not None else None,
            }
        )

    @extend_schema(operation_id="runs_trades_csv", parameters=[RUN_ID], responses={(200, "text/csv"): OpenApiTypes.STR})
    def trades_csv(self, request: Request, public_id: str) -> HttpResponse:
        """All of its trades as CSV."""
        run = self.get_object()
        body = trade_list.as_csv(selectors.trades(run), _refs(run)).encode()
        return _file(body, "text/csv; charset=utf-8", f"trades-{run.public_id}.csv")

    @extend_schema(
        operation_id="runs_trades_parquet",
        parameters=[RUN_ID],
        responses={(200, "application/vnd.apache.parquet"): OpenApiTypes.BINARY},
    )
    def trades_parquet(self, request: Request, public_id: str) -> HttpResponse:
        """All of its trades as Parquet."""
        run = self.get_object()
        body = trade_list.as_parquet(selectors.trades(run), _refs(run))
        return _file(body, "application/vnd.apache.parquet", f"trades-{run.public_id}.parquet")


class SharedRunView(APIView):
    """A run that its owner shares by a secret address."""

    permission_classes = (AllowAny,)

    @extend_schema(responses=serializers.SharedRunOutput)
    def get(self, request: Request, token: str) -> Response:
        return Response(serializers.SharedRunOutput(_shared(token)).data)


class SharedResultView(APIView):
    """The curves of a run that its owner shares."""

    permission_classes = (AllowAny,)

    @extend_schema(parameters=[serializers.PointsInput], responses=serializers.ResultOutput)
    def get(self, request: Request, token: str) -> Response:
        return _result(_shared(token), request)


def _person(request: Request) -> User:
    """Who asks: the permission classes let nobody in who is not signed in."""
    return cast(User, request.user)


def _asked(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _shared(token: str) -> Run:
    try:
        return selectors.shared_run(token)
    except Run.DoesNotExist:
        raise Http404 from None


def _version(version: Version, code: int) -> Response:
    return Response(serializers.WholeVersionOutput(selectors.versions().get(pk=version.pk)).data, status=code)


def _run(run: Run, code: int = status.HTTP_200_OK) -> Response:
    return Response(serializers.RunOutput(selectors.runs().get(pk=run.pk)).data, status=code)


def _result(run: Run, request: Request) -> Response:
    wanted = _asked(serializers.PointsInput(data=request.query_params))
    return Response({"points": selectors.points(run, wanted["points"]), "sensitivity": selectors.sensitivity(run)})


def _refs(run: Run) -> list[str]:
    return [instrument.ref for instrument in run.instruments]


def _file(body: bytes, kind: str, name: str) -> HttpResponse:
    return HttpResponse(body, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
