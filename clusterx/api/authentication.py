"""API tokens: ``Authorization: Token cx_…``. The database holds a hash; the token is shown once, when it is made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from clusterx.accounts.models import ApiToken
from clusterx.accounts.services import token_in, token_of

USED_EVERY = timedelta(minutes=1)


class TokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        raw = token_in(get_authorization_header(request))
        if raw is None:
            return None
        now = timezone.now()
        token = token_of(raw, at=now)
        if token is None:
            raise exceptions.AuthenticationFailed("The token is unknown, expired or revoked.")
        if request.method not in SAFE_METHODS and token.scope != ApiToken.Scope.TRADE:
            raise exceptions.PermissionDenied("This token may only read; make one that may trade.")
        if token.last_used_at is None or now - token.last_used_at > USED_EVERY:
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Token"


class SessionAlone(SessionAuthentication):
    """A browser's session and nothing else; whoever shows a token is told why it does not do."""

    def authenticate(self, request: Request) -> Any:
        found = super().authenticate(request)
        if found is None and token_in(get_authorization_header(request)) is not None:
            raise exceptions.PermissionDenied("This is for a browser's session alone: a token makes no tokens.")
        return found

    def authenticate_header(self, request: Request) -> str:
        return "Session"  # with none the answer would be 403


class SessionAloneScheme(SessionScheme):  # type: ignore[no-untyped-call]
    target_class = "clusterx.api.authentication.SessionAlone"
    name = "sessionAlone"
    priority = 0


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Token cx_…"}
