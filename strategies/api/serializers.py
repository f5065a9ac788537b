"""What the API of strategies gives."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class ParameterOutput(serializers.Serializer[Any]):
    """From a ``contract.Parameter``."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=["int", "float", "choice"])
    default = serializers.ReadOnlyField()  # type: ignore[assignment]
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
