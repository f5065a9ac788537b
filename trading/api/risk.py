"""REST of risk: limits, circuit breakers, whether an account or a deployment trades, and panic."""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clusterx.api.fields import ChoiceField
from clusterx.api.inputs import Input
from trading import selectors, wording
from trading.api.serializers import DeploymentOutput, Exact
from trading.api.views import _person
from trading.models import Account, Panic
from trading.risk.breakers import Breaker, Policy
from trading.risk.numbers import plain
from trading.risk.parameters import PARAMETERS, InvalidProfile, Parameter
from trading.risk.states import TradingState
from trading.selectors import risk as standings
from trading.services import panic as panics
from trading.services import risk as services

PRESSED: Final = "The panic button was pressed."


class Reasoned(Input):
    reason = serializers.CharField(max_length=300)


class RiskInput(Input):
    appetite = serializers.IntegerField()
    overrides = serializers.DictField(default=dict, help_text="Limits by name, as decimal strings, in the place of the table's")


class RiskOutput(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    appetite = serializers.IntegerField()
    by_hand = serializers.ListField(child=serializers.CharField())
    values = serializers.DictField(child=serializers.CharField())


class RiskParameterOutput(serializers.Serializer[Any]):
    """One limit of the table behind the appetite: ``values`` are those of appetite 1, 2, … 10."""

    name = serializers.CharField()
    label = serializers.SerializerMethodField()  # type: ignore[assignment]
    help = serializers.SerializerMethodField()
    unit = serializers.CharField()
    minimum = Exact()
    maximum = Exact()
    choices = serializers.SerializerMethodField()
    values = serializers.SerializerMethodField()

    def get_label(self, parameter: Parameter) -> str:
        return wording.said(parameter.label)

    def get_help(self, parameter: Parameter) -> str:
        return wording.said(parameter.help)

    def get_choices(self, parameter: Parameter) -> list[str]:
        return [name for name, _label in parameter.choices]

    def get_values(self, parameter: Parameter) -> list[str]:
        return [value if isinstance(value, str) else str(value) for value in parameter.columns]


class TripOutput(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    value = Exact()
    limit = Exact()
    policy = serializers.ChoiceField(choices=[policy.value for policy in Policy])


class BreakerOutput(serializers.Serializer[Any]):
    """``value`` and ``limit`` are shares of equity, or counts (``unit``); it trips when the value reaches the limit."""

    breaker = serializers.ChoiceField(choices=[breaker.value for breaker in Breaker])
    unit = serializers.CharField(source="reading.value.unit")
    value = serializers.SerializerMethodField("value_text")
    limit = serializers.SerializerMethodField("limit_text")
    money = Exact(source="reading.money", allow_null=True)
    policy = serializers.ChoiceField(choices=[policy.value for policy in Policy])
    tripped = TripOutput(source="trip", allow_null=True)

    def value_text(self, gauge: standings.Gauge) -> str:
        return plain(gauge.reading.value.amount)

    def limit_text(self, gauge: standings.Gauge) -> str:
        return plain(gauge.reading.limit.amount)


class StateInput(Reasoned):
    state = ChoiceField(choices=Account.State.choices)
    reason = serializers.CharField(max_length=300, allow_blank=True, default="")


class StateOutput(serializers.Serializer[Any]):
    """``effective`` is what holds, with the platform's state and the circuit breakers."""

    state = serializers.ChoiceField(choices=Account.State.choices, source="account.state")
    reason = serializers.CharField(source="account.state_reason")
    since = serializers.DateTimeField(allow_null=True)
    effective = serializers.CharField(source="state", help_text="active, reduce-only or halted")
    platform = serializers.SerializerMethodField()

    def get_platform(self, standing: standings.Standing) -> str:
        return standing.platform.state if standing.platform else TradingState.ACTIVE.value


class PanicInput(Input):
    reason = serializers.CharField(max_length=300, allow_blank=True, default="")


class StepOutput(serializers.Serializer[Any]):
    what = serializers.CharField(help_text="cancel or close")
    instrument = serializers.CharField(source="subject")
    quantity = serializers.CharField()
    state = serializers.CharField(help_text="waiting, done or failed")
    reason = serializers.CharField()


class PanicOutput(serializers.Serializer[Any]):
    started_at = serializers.DateTimeField()
    done_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    steps = serializers.SerializerMethodField()

    @extend_schema_field(StepOutput(many=True))
    def get_steps(self, begun: Panic) -> list[dict[str, Any]]:
        return [dict(StepOutput(step).data) for step in panics.steps(begun)]


class OfAccount(APIView):
    """One of the person's accounts; other people's do not exist."""

    def account(self, request: Request, public_id: uuid.UUID) -> Account:
        return get_object_or_404(selectors.accounts_of(_person(request)), public_id=public_id)


class ParametersView(APIView):
    """The table behind the risk appetite."""

    @extend_schema(operation_id="risk_parameters", responses=RiskParameterOutput(many=True))
    def get(self, request: Request) -> Response:
        """Every limit with its meaning, its range and its value at each appetite; labels in the language of the request."""
        return Response(RiskParameterOutput(PARAMETERS, many=True).data)


class RiskView(OfAccount):
    """The account's limits."""

    @extend_schema(operation_id="account_risk", responses=RiskOutput)
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        return Response(RiskOutput(self.account(request, public_id).risk).data)

    @extend_schema(operation_id="account_risk_set", request=RiskInput, responses=RiskOutput)
    def put(self, request: Request, public_id: uuid.UUID) -> Response:
        """Set the appetite, and what is set by hand instead of it; what ``overrides`` leaves out follows the appetite."""
        account = self.account(request, public_id)
        asked = RiskInput(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        try:
            services.set_risk(account_id=account.pk, at=timezone.now(), actor=_person(request), **given)
        except InvalidProfile as refused:
            field = refused.facts["field"]
            facts = refused.facts | {"field": field if field == "appetite" else f"overrides.{field}"}
            raise InvalidProfile(refused.message, **facts) from None
        account.refresh_from_db(fields=["risk"])
        return Response(RiskOutput(account.risk).data)


class BreakersView(OfAccount):
    """Where the account's circuit breakers stand."""

    @extend_schema(operation_id="account_breakers", responses=BreakerOutput(many=True))
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        return Response(_gauges(self.account(request, public_id)))


class BreakerResetView(OfAccount):
    """Lets the account trade on."""

    @extend_schema(operation_id="account_breaker_reset", request=Reasoned, responses=BreakerOutput(many=True))
    def post(self, request: Request, public_id: uuid.UUID, breaker: str) -> Response:
        """Reset a breaker that tripped, with a reason that is kept; nothing changes where it did not trip."""
        account = self.account(request, public_id)
        if breaker not in list(Breaker):
            raise NotFound(f"there is no breaker {breaker!r}; there are {', '.join(Breaker)}")
        asked = Reasoned(data=request.data)
        asked.is_valid(raise_exception=True)
        services.reset_breaker(
            account_id=account.pk,
            breaker=Breaker(breaker),
            reason=asked.validated_data["reason"],
            at=timezone.now(),
            actor=_person(request),
        )
        return Response(_gauges(account))


class AccountStateView(OfAccount):
    """Whether the account trades."""

    @extend_schema(operation_id="account_state", responses=StateOutput)
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        return Response(StateOutput(standings.standing(self.account(request, public_id))).data)

    @extend_schema(operation_id="account_state_set", request=StateInput, responses=StateOutput)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Restrict the account or let it trade again, for a reason; what it is already needs none."""
        account = self.account(request, public_id)
        asked = StateInput(data=request.data)
        asked.is_valid(raise_exception=True)
        services.set_account_state(account_id=account.pk, at=timezone.now(), actor=_person(request), **asked.validated_data)
        account.refresh_from_db(fields=["state", "state_reason"])
        return Response(StateOutput(standings.standing(account)).data)


class DeploymentStateView(APIView):
    """Whether one deployment trades."""

    @extend_schema(operation_id="deployment_state_set", request=StateInput, responses=DeploymentOutput)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Restrict a deployment or let it trade again, for a reason; what it is already needs none."""
        deployment = get_object_or_404(selectors.deployments_of(_person(request)), public_id=public_id)
        asked = StateInput(data=request.data)
        asked.is_valid(raise_exception=True)
        services.set_deployment_state(
            deployment_id=deployment.pk, at=timezone.now(), actor=_person(request), **asked.validated_data
        )
        return Response(DeploymentOutput(selectors.deployments().get(pk=deployment.pk)).data)


class PanicView(OfAccount):
    """The way out of everything."""

    @extend_schema(operation_id="account_panic", responses=PanicOutput)
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """How far the newest panic is; 404 where there never was one."""
        newest = standings.panics_of(self.account(request, public_id)).first()
        if newest is None:
            raise NotFound("There was no panic.")
        return Response(PanicOutput(newest).data)

    @extend_schema(operation_id="account_panic_start", request=PanicInput, responses={202: PanicOutput})
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Halt the account, cancel its orders and close its positions at market. While under way, the same one."""
        account = self.account(request, public_id)
        asked = PanicInput(data=request.data)
        asked.is_valid(raise_exception=True)
        reason = asked.validated_data["reason"].strip() or PRESSED
        begun = panics.panic(account_id=account.pk, reason=reason, at=timezone.now(), actor=_person(request))
        return Response(PanicOutput(begun).data, status=status.HTTP_202_ACCEPTED)


def _gauges(account: Account) -> Any:
    return BreakerOutput(standings.gauges(account, standings.breakers_of(account)), many=True).data


urlpatterns = [
    path("risk-parameters/", ParametersView.as_view()),
    path("accounts/<uuid:public_id>/risk/", RiskView.as_view()),
    path("accounts/<uuid:public_id>/breakers/", BreakersView.as_view()),
    path("accounts/<uuid:public_id>/breakers/<str:breaker>/reset/", BreakerResetView.as_view()),
    path("accounts/<uuid:public_id>/state/", AccountStateView.as_view()),
    path("accounts/<uuid:public_id>/panic/", PanicView.as_view()),
    path("deployments/<uuid:public_id>/state/", DeploymentStateView.as_view()),
]
