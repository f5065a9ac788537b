"""A signed-in person's language, time zone and sessions, for the length of a request."""

from __future__ import annotations

from collections.abc import Callable

from allauth.usersessions.middleware import UserSessionsMiddleware
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from clusterx.accounts.zones import zone_of

SEEN_EVERY = 60


class DisplaySettingsMiddleware:
    """Runs after authentication, and so after LocaleMiddleware, whose guess a person's own choice replaces."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not user.is_authenticated:
            return self.get_response(request)
        if user.language:
            translation.activate(user.language)
            request.LANGUAGE_CODE = user.language  # type: ignore[attr-defined]
        with timezone.override(zone_of(user.time_zone)):
            return self.get_response(request)


class SessionActivityMiddleware(UserSessionsMiddleware):
    """Notes when and from where a session was last used: once a minute, where allauth's own writes at every request."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        key = request.session.session_key
        if key and request.user.is_authenticated and cache.add(f"seen:{key}", 1, SEEN_EVERY):
            response: HttpResponse = super().__call__(request)
            return response
        passed: HttpResponse = self.get_response(request)
        return passed
