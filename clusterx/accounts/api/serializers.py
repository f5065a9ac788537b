"""What the REST of API tokens takes and gives."""

from __future__ import annotations

from rest_framework import serializers

from clusterx.accounts.models import ApiToken
from clusterx.api.fields import ChoiceField
from clusterx.api.inputs import Input


class TokenInput(Input):
    name = serializers.CharField(max_length=60)
    scope = ChoiceField(choices=ApiToken.Scope.values, default=ApiToken.Scope.READ)
    days = serializers.IntegerField(min_value=1, max_value=3650, required=False, allow_null=True, default=None)


class TokenOutput(serializers.Serializer[ApiToken]):
    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField()
    scope = ChoiceField(choices=ApiToken.Scope.values)
    prefix = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class NewTokenOutput(TokenOutput):
    token = serializers.CharField(help_text="Shown now and never again.")
