"""Who opens a WebSocket: a person's browser by its session, or their program by an API token."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier
from django.utils import timezone

from clusterx.accounts.models import ApiToken
from clusterx.accounts.services import token_in, token_of


class SocketAuthentication:
    """Wraps the socket's application.

    Only a browser sends a session cookie on its own, so only there does the page it comes from matter (``Origin``). A program
    shows its token and has no page.
    """

    def __init__(self, application: Any) -> None:
        self.application = application
        self.browsers = AllowedHostsOriginValidator(AuthMiddlewareStack(application))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        header = dict(scope["headers"]).get(b"authorization", b"")
        if not header:
            return await self.browsers(scope, receive, send)
        token = await database_sync_to_async(_token)(header)
        if token is None:
            return await WebsocketDenier()(scope, receive, send)
        return await self.application(dict(scope, user=token.user), receive, send)


def _token(header: bytes) -> ApiToken | None:
    raw = token_in(header)
    return None if raw is None else token_of(raw, at=timezone.now())
