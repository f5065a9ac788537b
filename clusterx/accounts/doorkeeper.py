"""Closing what was opened by a session or a token that has ended: signed out, expired, revoked, the password changed, the
person deactivated.

A socket is let in once and may stay for days. One task of each process asks every few seconds, in three queries however many
sockets there are, whether what let them in still stands. Where the database cannot be asked they stay until it can.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from channels.db import database_sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import InterfaceError, OperationalError
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from clusterx.accounts.models import ApiToken, User

logger = logging.getLogger(__name__)
LOOK_EVERY = 10.0
"""Seconds that a socket may outlive what let it in."""


class Pass:
    """What let one socket in: a person's session, or their token. ``end`` is called once it stands no longer."""

    def __init__(self, user_id: int, end: Callable[[], object], *, session: str = "", token: int | None = None) -> None:
        self.user_id, self.end, self.session, self.token = user_id, end, session, token


def ended(passes: Iterable[Pass], *, at: datetime) -> list[Pass]:
    """Those of ``passes`` that would let nobody in at ``at``."""
    passes = list(passes)
    people = User.objects.filter(is_active=True).in_bulk({one.user_id for one in passes})
    sessions = Session.objects.filter(expire_date__gt=at).in_bulk({one.session for one in passes if one.session})
    tokens = set(
        ApiToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=at), revoked_at=None)
        .filter(pk__in={one.token for one in passes if one.token is not None})
        .values_list("pk", flat=True)
    )

    def stands(one: Pass) -> bool:
        person = people.get(one.user_id)
        if person is None:
            return False
        if one.token is not None:
            return one.token in tokens
        return one.session in sessions and _is_of(sessions[one.session], person)

    return [one for one in passes if not stands(one)]


def _is_of(session: Session, person: User) -> bool:
    """Whether the session signs ``person`` in, with the password they have now; as Django's ``get_user`` decides."""
    held = session.get_decoded()
    if str(held.get(SESSION_KEY)) != str(person.pk):
        return False
    proof = str(held.get(HASH_SESSION_KEY, ""))
    accepted = [person.get_session_auth_hash(), *person.get_session_auth_fallback_hash()]
    return any(constant_time_compare(proof, one) for one in accepted)


class Doorkeeper:
    """The passes of one process's sockets, and the task that looks at them while there are any."""

    def __init__(self) -> None:
        self.passes: set[Pass] = set()
        self.task: asyncio.Task[None] | None = None

    def admit(self, one: Pass) -> None:
        self.passes.add(one)
        if self.task is None:
            self.task = asyncio.create_task(self._watch())

    def forget(self, one: Pass) -> None:
        self.passes.discard(one)
        if not self.passes and self.task is not None:
            self.task.cancel()
            self.task = None

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                over = await database_sync_to_async(ended)(set(self.passes), at=timezone.now())
            except (OperationalError, InterfaceError) as error:
                logger.warning("sessions of open sockets could not be looked at: %s", error)
                continue
            for one in over:
                if one in self.passes:
                    one.end()


_doorkeeper: Doorkeeper | None = None
_loop: asyncio.AbstractEventLoop | None = None


def doorkeeper() -> Doorkeeper:
    """This process's doorkeeper; tests have an event loop each, and so one each."""
    global _doorkeeper, _loop
    running = asyncio.get_running_loop()
    if _doorkeeper is None or _loop is not running:
        _doorkeeper, _loop = Doorkeeper(), running
    return _doorkeeper
