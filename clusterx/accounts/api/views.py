"""API tokens over REST: for the person in a browser, never for a token, or a stolen one could make others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, cast

from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from clusterx.accounts import services
from clusterx.accounts.api import serializers
from clusterx.accounts.models import ApiToken, User
from clusterx.api.authentication import SessionAlone
from clusterx.errors import DomainError


class ReauthenticationRequired(DomainError):
    code: ClassVar[str] = "reauthentication-required"
    http_status: ClassVar[int] = 403


class TokenViewSet(mixins.ListModelMixin, GenericViewSet[ApiToken]):
    """Your API tokens that still work."""

    authentication_classes = (SessionAlone,)
    serializer_class = serializers.TokenOutput
    queryset = ApiToken.objects.none()
    filter_backends = ()
    lookup_field = "public_id"
    lookup_value_converter = "uuid"

    def get_queryset(self) -> Any:
        return ApiToken.objects.filter(user=cast(User, self.request.user), revoked_at=None)

    @extend_schema(request=serializers.TokenInput, responses={201: serializers.NewTokenOutput})
    def create(self, request: Request) -> Response:
        """Make a token. Its text is in this answer and nowhere else; you must have signed in a few minutes ago."""
        if not did_recently_reauthenticate(request._request):
            raise ReauthenticationRequired("Confirm that it is you at /accounts/reauthenticate/, then try again.")
        asked = serializers.TokenInput(data=request.data)
        asked.is_valid(raise_exception=True)
        given, now = asked.validated_data, timezone.now()
        expires = now + timedelta(days=given["days"]) if given["days"] else None
        token, raw = services.make_token(
            user=cast(User, request.user), name=given["name"], scope=given["scope"], at=now, expires_at=expires
        )
        token.token = raw  # type: ignore[attr-defined]
        body = serializers.NewTokenOutput(token).data
        return Response(body, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, public_id: str) -> Response:
        """Revoke a token, for good."""
        try:
            services.revoke_token(user=cast(User, request.user), public_id=public_id, at=timezone.now())
        except ApiToken.DoesNotExist:
            raise Http404 from None
        return Response(status=status.HTTP_204_NO_CONTENT)
