"""REST of trading: each person sees and moves their own; other people's ids do not exist."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from clusterx.accounts.models import User
from clusterx.api.pagination import NewestFirst
from clusterx.api.whole_numbers import whole_number
from clusterx.events.models import Event
from trading import selectors
from trading.activity import described
from trading.api import filters, serializers
from trading.events import text
from trading.models import Account, Deployment, Fill, Order, Position
from trading.services import accounts as account_services
from trading.services import deployments as deployment_services
from trading.services.journal import stream_of

POINTS_LIMIT = 5000


class PositionPages(NewestFirst):
    ordering = "-deployment_id"


class AccountViewSet(GenericViewSet[Account]):
    """Paper accounts, valued at the newest prices."""

    serializer_class = serializers.AccountOutput
    queryset = Account.objects.none()
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Account]:
        return selectors.accounts_of(_person(self.request))

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        valued = selectors.portfolios(page or [], at=timezone.now())
        return self.get_paginated_response(serializers.AccountOutput(valued, many=True).data)

    @extend_schema(request=serializers.AccountInput, responses={201: serializers.AccountOutput})
    def create(self, request: Request) -> Response:
        asked = serializers.AccountInput(data=request.data)
        asked.is_valid(raise_exception=True)
        account = account_services.create_account(owner=_person(request), at=timezone.now(), **asked.validated_data)
        return Response(_account(account), status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, public_id: str) -> Response:
        return Response(_account(self.get_object()))

    @extend_schema(
        parameters=[OpenApiParameter("limit", int, description=f"Points, at most {POINTS_LIMIT}; beyond, of equal spans")],
        responses=serializers.EquityOutput,
    )
    @action(detail=True, pagination_class=None)
    def equity(self, request: Request, public_id: str) -> Response:
        """The curve of recorded equity, oldest first."""
        curve = selectors.equity_curve(self.get_object(), limit=_limit(request, default=500, most=POINTS_LIMIT))
        return Response({"points": [[moment, text(equity)] for moment, equity in curve]})

    @extend_schema(responses=serializers.ActivityOutput(many=True))
    @action(detail=True)
    def activity(self, request: Request, public_id: str) -> Response:
        """What happened to the account, newest first."""
        happened = Event.objects.filter(stream=stream_of(self.get_object()))
        page: list[Event] = self.paginate_queryset(happened) or []  # type: ignore[arg-type, assignment]
        return self.get_paginated_response(serializers.ActivityOutput(described(page), many=True).data)


@extend_schema_view(
    list=extend_schema(responses=serializers.DeploymentOutput(many=True)),
    retrieve=extend_schema(responses=serializers.DeploymentOutput),
)
class DeploymentViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Deployment]):
    """Strategies at work."""

    serializer_class = serializers.DeploymentOutput
    queryset = Deployment.objects.none()
    filterset_class = filters.ByAccount
    lookup_field = "public_id"
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Deployment]:
        if getattr(self, "swagger_fake_view", False):
            return Deployment.objects.none()
        return selectors.deployments_of(_person(self.request))

    @extend_schema(request=serializers.DeploymentInput, responses={201: serializers.DeploymentOutput})
    def create(self, request: Request) -> Response:
        asked = serializers.DeploymentInput(data=request.data, context={"request": request})
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        deployment = deployment_services.deploy(
            account_id=given["account"].pk,
            strategy=given["strategy"],
            values=given["parameters"],
            instrument_id=given["instrument"].pk,
            timeframe=given["timeframe"],
            allocation=given["allocation"],
            at=timezone.now(),
            actor=_person(request),
        )
        return Response(self._shown(deployment), status=status.HTTP_201_CREATED)

    @extend_schema(parameters=[OpenApiParameter("close_position", bool)], responses={204: None})
    def destroy(self, request: Request, public_id: str) -> Response:
        """Stop it and hide it for good; its orders and fills stay."""
        asked = serializers.StopInput(data=request.query_params)
        asked.is_valid(raise_exception=True)
        deployment_services.delete(
            deployment_id=self.get_object().pk, at=timezone.now(), actor=_person(request), **asked.validated_data
        )
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=serializers.DeploymentOutput)
    @action(detail=True, methods=["post"])
    def start(self, request: Request, public_id: str) -> Response:
        """Go on with the next bar that closes."""
        deployment = deployment_services.start(deployment_id=self.get_object().pk, at=timezone.now(), actor=_person(request))
        return Response(self._shown(deployment))

    @extend_schema(request=serializers.StopInput, responses=serializers.DeploymentOutput)
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, public_id: str) -> Response:
        """Look at no further bar; the position stays unless ``close_position``."""
        asked = serializers.StopInput(data=request.data)
        asked.is_valid(raise_exception=True)
        deployment = deployment_services.stop(
            deployment_id=self.get_object().pk, at=timezone.now(), actor=_person(request), **asked.validated_data
        )
        return Response(self._shown(deployment))

    def _shown(self, deployment: Deployment) -> dict[str, Any]:
        return serializers.DeploymentOutput(selectors.deployments().get(pk=deployment.pk)).data


class OrderViewSet(mixins.ListModelMixin, GenericViewSet[Order]):
    """Orders, whatever became of them."""

    serializer_class = serializers.OrderOutput
    queryset = Order.objects.none()
    filterset_class = filters.ByDeployment

    def get_queryset(self) -> QuerySet[Order]:
        if getattr(self, "swagger_fake_view", False):
            return Order.objects.none()
        return selectors.orders_of(_person(self.request))


class FillViewSet(mixins.ListModelMixin, GenericViewSet[Fill]):
    """Executions: the facts from which positions and cash follow."""

    serializer_class = serializers.FillOutput
    queryset = Fill.objects.none()
    filterset_class = filters.ByDeployment

    def get_queryset(self) -> QuerySet[Fill]:
        if getattr(self, "swagger_fake_view", False):
            return Fill.objects.none()
        return selectors.fills_of(_person(self.request))


class PositionViewSet(GenericViewSet[Position]):
    """What deployments hold, flat ones too, at the newest prices."""

    serializer_class = serializers.PositionOutput
    queryset = Position.objects.none()
    filterset_class = filters.ByDeployment
    pagination_class = PositionPages

    def get_queryset(self) -> QuerySet[Position]:
        if getattr(self, "swagger_fake_view", False):
            return Position.objects.none()
        return selectors.positions_of(_person(self.request))

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        valued = [selectors.holding(position) for position in page]
        return self.get_paginated_response(serializers.PositionOutput(valued, many=True).data)


def _person(request: Request) -> User:
    """Who asks: the permission classes let nobody in who is not signed in."""
    return cast(User, request.user)


def _account(account: Account) -> dict[str, Any]:
    return serializers.AccountOutput(selectors.portfolio(account, at=timezone.now())).data


def _limit(request: Request, *, default: int, most: int) -> int:
    given = request.query_params.get("limit", str(default))
    limit = whole_number(given, least=1, most=most)
    if limit is None:
        raise ValidationError({"limit": [f"limit must be 1..{most}, was {given[:20]!r}"]})
    return limit
