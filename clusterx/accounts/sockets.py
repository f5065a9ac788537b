"""Who opens a WebSocket: a person's browser by its session, their program by an API token, or anybody for what is public.

A person's socket closes with code 4401 when the session or the token that opened it ends.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from clusterx.accounts.doorkeeper import Pass, doorkeeper
from clusterx.accounts.models import ApiToken
from clusterx.accounts.services import token_in, token_of

OVER = 4401


class SocketAuthentication:
    """Wraps the socket's application.

    A browser says which site a script comes from (``Origin``) and sends the person's cookie along whatever that site is: so
    only our own pages may connect with a cookie. A program says no origin, and its cookies are not looked at: it shows a token.
    """

    def __init__(self, application: Any) -> None:
        self.application = application
        self.browsers = AllowedHostsOriginValidator(AuthMiddlewareStack(self._of_session))

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
        scope = dict(scope, user=token.user)
        await self._until_ended(scope, receive, send, user_id=token.user_id, token=token.pk)

    async def _of_session(self, scope: Any, receive: Any, send: Any) -> None:
        user = scope["user"]
        if not user.is_authenticated:
            await self.application(scope, receive, send)
            return
        await self._until_ended(scope, receive, send, user_id=user.pk, session=scope["session"].session_key)

    async def _until_ended(self, scope: Any, receive: Any, send: Any, **what_let_it_in: Any) -> None:
        talking = asyncio.ensure_future(self.application(scope, receive, send))
        over = asyncio.Event()

        def end() -> None:
            over.set()
            talking.cancel()

        mine = Pass(end=end, **what_let_it_in)
        doorkeeper().admit(mine)
        try:
            await talking
        except asyncio.CancelledError:
            if not over.is_set():
                raise
            with suppress(OSError, RuntimeError):  # it may have gone by itself at that moment
                await send({"type": "websocket.close", "code": OVER, "reason": "the session ended"})
        finally:
            doorkeeper().forget(mine)
            talking.cancel()


def _token(raw: str) -> ApiToken | None:
    return token_of(raw, at=timezone.now())
