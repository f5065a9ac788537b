"""Who opens a WebSocket: a person's browser by its session, their program by an API token, or anybody for what is public."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from clusterx.accounts.models import ApiToken
from clusterx.accounts.services import token_in, token_of


class SocketAuthentication:
    """Wraps the socket's application.

    A browser says which site a script comes from (``Origin``) and sends the person's cookie along whatever that site is: so
    only our own pages may connect with a cookie. A program says no origin, and its cookies are not looked at: it shows a token.
    """

    def __init__(self, application: Any) -> None:
        self.application = application
        self.browsers = AllowedHostsOriginValidator(AuthMiddlewareStack(application))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        headers = dict(scope["headers"])
        if b"origin" in headers:
            return await self.browsers(scope, receive, send)
        raw = token_in(headers.get(b"authorization", b""))
        if raw is None:
            return await self.application(dict(scope, user=AnonymousUser()), receive, send)
        token = await database_sync_to_async(_token)(raw)
        if token is None:
            return await WebsocketDenier()(scope, receive, send)
        return await self.application(dict(scope, user=token.user), receive, send)


def _token(raw: str) -> ApiToken | None:
    return token_of(raw, at=timezone.now())
