"""REST of brokers: what can be connected, connecting it, testing it, another key, none. Secrets go in and never come out."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle
from rest_framework.viewsets import GenericViewSet

from clusterx.accounts.models import User
from clusterx.api.fields import ChoiceField
from clusterx.api.inputs import Input
from clusterx.api.pagination import NewestFirst
from trading import selectors
from trading.api.serializers import Exact
from trading.brokers.registry import BROKERS
from trading.models import Connection
from trading.services import connecting
from trading.services.accounts import CURRENCIES

MARKETS = ("spot", "perpetual", "future")


class CredentialsThrottle(UserRateThrottle):
    """Nobody tries keys by the hundred through this server."""

    scope, rate = "credentials", "20/min"


class CredentialsField(serializers.DictField):
    """Names and values as the list of brokers has them."""

    def __init__(self, **kwargs: Any) -> None:
        child = serializers.CharField(allow_blank=True, trim_whitespace=False, write_only=True)
        super().__init__(child=child, write_only=True, **kwargs)


class ConnectionInput(Input):
    name = serializers.CharField(max_length=60)
    broker = serializers.CharField(max_length=40)
    market = ChoiceField(choices=MARKETS, default="spot")
    is_paper = serializers.BooleanField()
    knows_live = serializers.BooleanField(
        default=False, help_text="Says that you know that orders cost real money; needed unless is_paper."
    )
    currency = ChoiceField(choices=["", *CURRENCIES], default="", help_text="Empty: what the account holds most of.")
    credentials = CredentialsField(help_text="Sealed at once, and never shown again.")


class KeyInput(Input):
    credentials = CredentialsField(help_text="Sealed at once, and never shown again.")


class BrokerFieldOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    is_secret = serializers.BooleanField()
    is_required = serializers.BooleanField()


class BrokerOutput(serializers.Serializer[Any]):
    """From a ``trading.brokers.registry.Offer``."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    markets = serializers.ListField(child=serializers.CharField())
    has_paper = serializers.BooleanField()
    credentials = BrokerFieldOutput(many=True)


class DifferenceOutput(serializers.Serializer[Any]):
    subject = serializers.CharField(help_text="A symbol or a currency, as the venue names it.")
    ours = Exact()
    venues = Exact()
    first_seen_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()


class ConnectionOutput(serializers.Serializer[Any]):
    """From a ``Connection``. ``id`` is the account's."""

    id = serializers.UUIDField(source="account.public_id")
    name = serializers.CharField(source="account.name")
    broker = serializers.CharField()
    market = serializers.CharField()
    is_paper = serializers.BooleanField()
    hint = serializers.CharField(help_text="The last characters of the key.")
    venue_account = serializers.CharField()
    may_trade = serializers.BooleanField(allow_null=True)
    may_withdraw = serializers.BooleanField(allow_null=True, help_text="null: the venue does not tell.")
    status = serializers.ChoiceField(choices=Connection.Status.choices)
    status_reason = serializers.CharField()
    testing = serializers.CharField(source="step", help_text="What a test that is under way does now; empty: none is.")
    clock_skew = serializers.FloatField(allow_null=True, help_text="Seconds that the venue's clock is ahead of ours.")
    checked_at = serializers.DateTimeField(allow_null=True)
    answered_at = serializers.DateTimeField(allow_null=True)
    opened_at = serializers.DateTimeField(allow_null=True, help_text="When the account's books begin; null: they do not yet.")
    created_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    differences = serializers.SerializerMethodField()

    def get_differences(self, row: Connection) -> list[dict[str, Any]]:
        standing = [one for one in row.account.differences.all() if one.resolved_at is None]
        return DifferenceOutput(standing, many=True).data  # type: ignore[return-value]


class BrokerViewSet(GenericViewSet[Any]):
    """Brokers that can be connected, and what each asks for; ``ccxt:<id>`` is any other exchange that ccxt can trade on."""

    permission_classes = (AllowAny,)
    serializer_class = BrokerOutput
    filter_backends = ()
    pagination_class = None

    @extend_schema(responses=BrokerOutput(many=True))
    def list(self, request: Request) -> Response:
        return Response([_offered(one) for one in BROKERS.values()])


def _offered(one: Any) -> dict[str, Any]:
    fields = [
        {"name": field.name, "label": str(field.label), "is_secret": field.is_secret, "is_required": field.is_required}
        for field in one.fields
    ]
    named = {"name": one.name, "label": one.label, "markets": list(one.markets)}
    return named | {"has_paper": one.has_paper, "credentials": fields}


class ConnectionPages(NewestFirst):
    ordering = "-account_id"


@method_decorator(sensitive_variables(), name="create")
@method_decorator(sensitive_variables(), name="key")
class ConnectionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Connection]):
    """Accounts at brokers."""

    serializer_class = ConnectionOutput
    queryset = Connection.objects.none()
    pagination_class = ConnectionPages
    filter_backends = ()
    lookup_field = "account__public_id"
    lookup_url_kwarg = "public_id"
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Connection]:
        if getattr(self, "swagger_fake_view", False):
            return Connection.objects.none()
        return selectors.connections_of(cast(User, self.request.user)).prefetch_related("account__differences")

    def get_throttles(self) -> list[Any]:
        guarded = self.action in {"create", "key", "check"}
        return [*super().get_throttles(), *([CredentialsThrottle()] if guarded else [])]

    @extend_schema(request=ConnectionInput, responses={201: ConnectionOutput})
    def create(self, request: Request) -> Response:
        """Connect an account at a broker; its key is tested by the trading worker within seconds."""
        asked = ConnectionInput(data=request.data)
        asked.is_valid(raise_exception=True)
        given = dict(asked.validated_data)
        entered = given.pop("credentials")
        account = connecting.connect_broker(owner=cast(User, request.user), at=timezone.now(), fields=entered, **given)
        return Response(self._shown(account.pk), status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={202: ConnectionOutput})
    @action(detail=True, methods=["post"])
    def check(self, request: Request, public_id: str) -> Response:
        """Have the key tested; `testing` says how far it is."""
        one = self.get_object()
        connecting.ask_for_test(account_id=one.pk, at=timezone.now())
        return Response(self._shown(one.pk), status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=KeyInput, responses={202: ConnectionOutput})
    @action(detail=True, methods=["post"])
    def key(self, request: Request, public_id: str) -> Response:
        """Put another key in the place of the one there was; nothing is sent until it passed its test."""
        one = self.get_object()
        asked = KeyInput(data=request.data)
        asked.is_valid(raise_exception=True)
        entered = asked.validated_data["credentials"]
        connecting.replace_key(account_id=one.pk, at=timezone.now(), actor=cast(User, request.user), fields=entered)
        return Response(self._shown(one.pk), status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses=ConnectionOutput)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, public_id: str) -> Response:
        """Destroy the key; all deployments stop and nothing is sent any more."""
        one = self.get_object()
        connecting.revoke(account_id=one.pk, at=timezone.now(), actor=cast(User, request.user))
        return Response(self._shown(one.pk))

    def destroy(self, request: Request, public_id: str) -> Response:
        """Take away an account whose broker never answered."""
        connecting.discard(account_id=self.get_object().pk, at=timezone.now(), actor=cast(User, request.user))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _shown(self, pk: int) -> dict[str, Any]:
        return ConnectionOutput(self.get_queryset().get(pk=pk)).data
