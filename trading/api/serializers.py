"""What the API of trading takes and gives. The account's stream sends the same shapes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.template.loader import render_to_string
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from clusterx.api.fields import ChoiceField
from clusterx.api.inputs import ByReference, Input
from marketdata.models import Instrument
from trading import events
from trading.models import Account, Deployment, Evaluation, Order
from trading.services.accounts import CURRENCIES


@extend_schema_field(OpenApiTypes.DECIMAL)
class Exact(serializers.Field[Any, Any, Any, Any]):
    """A Decimal as plain digits without trailing zeros: "0.5", never "5E-1" or "0.500000000000"."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Decimal) -> str:
        return events.text(value)


# -- accounts --------------------------------------------------------------------------------------------------


class AccountInput(Input):
    name = serializers.CharField(max_length=60)
    starting_balance = serializers.DecimalField(max_digits=12, decimal_places=2)
    currency = ChoiceField(choices=CURRENCIES, default="USDT")


class PositionOutput(serializers.Serializer[Any]):
    """From a ``selectors.Holding``."""

    account = serializers.UUIDField(source="position.account.public_id")
    deployment = serializers.UUIDField(source="deployment.public_id", default=None, allow_null=True)
    instrument = serializers.CharField(source="instrument.ref")
    side = serializers.CharField(help_text="long, short or flat")
    quantity = Exact()
    average_price = Exact()
    price = Exact()
    price_time = serializers.DateTimeField(allow_null=True)
    price_received_at = serializers.DateTimeField(allow_null=True)
    value = Exact()
    unrealised_pnl = Exact()
    realised_pnl = Exact()
    fees = Exact()
    opened_at = serializers.DateTimeField(allow_null=True)


class AccountOutput(serializers.Serializer[Any]):
    """From a ``selectors.Portfolio``."""

    id = serializers.UUIDField(source="account.public_id")
    name = serializers.CharField(source="account.name")
    kind = serializers.CharField(source="account.kind")
    currency = serializers.CharField(source="account.currency")
    created_at = serializers.DateTimeField(source="account.created_at")
    starting_balance = Exact(source="account.starting_balance")
    fee_rate = Exact(source="account.fee_rate")
    slippage_rate = Exact(source="account.slippage_rate")
    state = serializers.ChoiceField(choices=Account.State.choices, source="account.state")
    state_reason = serializers.CharField(source="account.state_reason")
    risk = serializers.JSONField(source="account.risk", help_text="The risk profile: its appetite and every value.")
    cash = Exact()
    positions_value = Exact()
    equity = Exact()
    day_pnl = Exact()
    total_pnl = Exact()
    realised_pnl = Exact()
    unrealised_pnl = Exact()
    fees = Exact()
    positions = PositionOutput(many=True)


class EquityOutput(serializers.Serializer[Any]):
    points = serializers.ListField(
        child=serializers.ListField(child=serializers.JSONField()), help_text="[seconds since 1970, equity] pairs"
    )


class ActivityOutput(serializers.Serializer[Any]):
    """From a ``trading.activity.Activity``. ``sequence`` grows with every one."""

    id = serializers.UUIDField(source="public_id")
    sequence = serializers.IntegerField(source="id")
    at = serializers.DateTimeField()
    type = serializers.CharField()
    text = serializers.CharField()
    tone = serializers.ChoiceField(choices=["good", "bad", "warn", "info"])
    deployment = serializers.UUIDField(source="deployment_id", allow_null=True)
    instrument = serializers.CharField(allow_null=True)


# -- deployments ------------------------------------------------------------------------------------------------


class DeploymentInput(Input):
    account = ByReference(slug_field="public_id", queryset=Account.objects.none())
    strategy = serializers.CharField(max_length=60)
    parameters = serializers.DictField(required=False, default=dict)
    instrument = ByReference(slug_field="ref", queryset=Instrument.objects.all())
    timeframe = serializers.CharField(max_length=3)
    allocation = serializers.DecimalField(max_digits=5, decimal_places=4, default=Decimal("0.2"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        request = self.context.get("request")
        if request is not None and request.user.is_authenticated:
            # Somebody else's account does not exist for this person.
            self.fields["account"].queryset = Account.objects.filter(owner=request.user)  # type: ignore[attr-defined]

    def validate_parameters(self, given: dict[str, Any]) -> dict[str, Any]:
        # The strategy names the parameter that it does not know; without a name there is no field to put it at.
        if "" in given:
            raise serializers.ValidationError("Every parameter has a name; one was empty.")
        return given


class StopInput(Input):
    close_position = serializers.BooleanField(default=False)


class EvaluationOutput(serializers.Serializer[Any]):
    bar_time = serializers.DateTimeField(source="last_bar_time")
    evaluated_at = serializers.DateTimeField(source="last_evaluated_at")
    outcome = serializers.CharField(source="last_outcome")
    reason = serializers.CharField(source="last_reason")
    target = serializers.FloatField(source="last_target", allow_null=True)


class LookOutput(serializers.Serializer[Any]):
    """From an ``Evaluation``: what the account's stream says of it. ``text`` is its outcome, as pages write it."""

    deployment = serializers.UUIDField(source="deployment.public_id")
    bar_time = serializers.DateTimeField()
    evaluated_at = serializers.DateTimeField()
    outcome = serializers.CharField()
    reason = serializers.CharField()
    target = serializers.FloatField(allow_null=True)
    text = serializers.SerializerMethodField()

    def get_text(self, look: Evaluation) -> str:
        return render_to_string("trading/_outcome.html", {"outcome": look.outcome}).strip()


class DeploymentOutput(serializers.Serializer[Any]):
    """From a row of ``selectors.deployments``."""

    id = serializers.UUIDField(source="public_id")
    account = serializers.UUIDField(source="account.public_id")
    strategy = serializers.CharField()
    strategy_label = serializers.CharField()
    parameters = serializers.DictField(source="parameter_values")
    instrument = serializers.CharField(source="instrument.ref")
    timeframe = serializers.CharField()
    allocation = Exact()
    status = serializers.ChoiceField(choices=Deployment.Status.choices)
    status_reason = serializers.CharField()
    quantity = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField()
    stopped_at = serializers.DateTimeField(allow_null=True)
    deleted_at = serializers.DateTimeField(allow_null=True)
    last_evaluation = serializers.SerializerMethodField()

    @extend_schema_field(OpenApiTypes.DECIMAL)
    def get_quantity(self, row: Any) -> str:
        """What it holds, signed."""
        position = getattr(row, "position", None)
        return events.text(position.quantity) if position else "0"

    @extend_schema_field(EvaluationOutput(allow_null=True))
    def get_last_evaluation(self, row: Any) -> dict[str, Any] | None:
        return EvaluationOutput(row).data if row.last_bar_time else None


# -- orders and fills ---------------------------------------------------------------------------------------------


class OrderOutput(serializers.Serializer[Any]):
    """From a row of ``selectors.orders``."""

    id = serializers.UUIDField(source="public_id")
    client_order_id = serializers.CharField()
    account = serializers.UUIDField(source="account.public_id")
    venue_order_id = serializers.CharField()
    deployment = serializers.UUIDField(source="deployment.public_id", default=None, allow_null=True)
    instrument = serializers.CharField(source="instrument.ref")
    purpose = serializers.ChoiceField(choices=Order.Purpose.choices)
    type = serializers.ChoiceField(choices=Order.Type.choices)
    side = serializers.ChoiceField(choices=["buy", "sell"])
    quantity = Exact()
    filled_quantity = Exact()
    limit_price = Exact(allow_null=True)
    stop_price = Exact(allow_null=True)
    time_in_force = serializers.ChoiceField(choices=Order.TimeInForce.choices)
    status = serializers.ChoiceField(choices=Order.Status.choices)
    reason_code = serializers.CharField()
    reason = serializers.CharField()
    reference_price = serializers.FloatField()
    fill_price = Exact(allow_null=True)
    fill_fee = Exact(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class FillOutput(serializers.Serializer[Any]):
    """From a row of ``selectors.fills``."""

    id = serializers.UUIDField(source="public_id")
    order = serializers.UUIDField(source="order.public_id")
    account = serializers.UUIDField(source="account.public_id")
    deployment = serializers.UUIDField(source="deployment.public_id", default=None, allow_null=True)
    instrument = serializers.CharField(source="instrument.ref")
    side = serializers.ChoiceField(choices=["buy", "sell"])
    quantity = Exact()
    price = Exact()
    fee = Exact()
    realised_pnl = Exact()
    market_time = serializers.DateTimeField()
    filled_at = serializers.DateTimeField()
