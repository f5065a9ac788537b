"""What the API of strategies gives."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


@extend_schema_field(OpenApiTypes.ANY)
class AnyValue(serializers.ReadOnlyField):
    """A number or a word, as the parameter's kind says."""


class ParameterOutput(serializers.Serializer[Any]):
    """From a ``contract.Parameter``."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=["int", "float", "choice"])
    default = AnyValue()  # type: ignore[assignment]
    minimum = serializers.FloatField(allow_null=True)
    maximum = serializers.FloatField(allow_null=True)
    step = serializers.FloatField(allow_null=True)
    choices = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    help = serializers.CharField()


class StrategyOutput(serializers.Serializer[Any]):
    """From a ``contract.Strategy``."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    summary = serializers.CharField()
    parameters = ParameterOutput(many=True)
