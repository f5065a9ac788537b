"""Writing to people's accounts: API tokens, display settings, demo people."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils.translation import gettext as _

from clusterx.accounts import mails
from clusterx.accounts.models import ApiToken, User
from clusterx.errors import DomainError
from clusterx.events import log

MOST_TOKENS = 20
DEMO = (
    ("demo@clusterx.example", "demo-clusterx", "Demo", False),
    ("staff@clusterx.example", "staff-clusterx", "Staff", True),
)


class TooManyTokens(DomainError):
    code: ClassVar[str] = "too-many-tokens"
    http_status: ClassVar[int] = 409


@log.register_payload("token.made")
@log.register_payload("token.revoked")
@dataclass(frozen=True)
class TokenNews:
    token: str
    name: str
    scope: str


def stream_of(user: User) -> str:
    """Where the event log keeps what happens to a person's account."""
    return f"user/{user.public_id}"


def digest_of(raw: str) -> str:
    # A token is 32 random bytes: a plain hash cannot be guessed backwards, and must be fast at every request.
    return hashlib.sha256(raw.encode()).hexdigest()


@transaction.atomic
def make_token(*, user: User, name: str, scope: str, at: datetime, expires_at: datetime | None = None) -> tuple[ApiToken, str]:
    """Make a token and return it with its text, which is not kept; its owner is told by mail. Raises TooManyTokens."""
    User.objects.select_for_update().get(pk=user.pk)
    if user.api_tokens.filter(revoked_at=None).count() >= MOST_TOKENS:
        raise TooManyTokens(
            _("You have %(limit)s tokens; revoke one that you no longer use.") % {"limit": MOST_TOKENS}, limit=MOST_TOKENS
        )
    raw = f"cx_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(
        user=user, name=name, scope=scope, prefix=raw[:11], digest=digest_of(raw), created_at=at, expires_at=expires_at
    )
    _tell("token.made", token, at)
    # A mail server that is down is logged and unmakes no token.
    transaction.on_commit(lambda: mails.tell_of_token(token), robust=True)
    return token, raw


@transaction.atomic
def revoke_token(*, user: User, public_id: uuid.UUID | str, at: datetime) -> None:
    """A second call changes nothing. Raises ApiToken.DoesNotExist for other people's tokens."""
    token = ApiToken.objects.select_for_update().get(user=user, public_id=public_id)
    if token.revoked_at is None:
        token.revoked_at = at
        token.save(update_fields=["revoked_at"])
        _tell("token.revoked", token, at)


def token_in(header: bytes) -> str | None:
    """The text after ``Token`` in an Authorization header; None when it names another scheme."""
    words = header.split()
    if not words or words[0].lower() != b"token":
        return None
    return words[1].decode("ascii", "replace") if len(words) == 2 else ""


def token_of(raw: str, *, at: datetime) -> ApiToken | None:
    """The live token whose text is ``raw``, with its user; None for any other text."""
    if not raw.startswith("cx_") or len(raw) > 100:
        return None
    digest = digest_of(raw)
    token = ApiToken.objects.select_related("user").filter(digest=digest).first()
    if token is None or not hmac.compare_digest(token.digest, digest):
        return None
    if token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= at):
        return None
    return token if token.user.is_active else None


def _tell(type: str, token: ApiToken, at: datetime) -> None:
    payload = TokenNews(str(token.public_id), token.name, token.scope)
    log.append(stream=stream_of(token.user), type=type, payload=payload, actor=token.user, at=at)


@transaction.atomic
def ensure_demo_people(at: datetime) -> None:
    """The two people whose passwords ``make run`` prints. A second call changes nothing.

    Raises ImproperlyConfigured in production.
    """
    if settings.PRODUCTION:
        raise ImproperlyConfigured("demo people have known passwords and are not made in production")
    for email, password, name, staff in DEMO:
        if not User.objects.filter(email=email).exists():
            user = User.objects.create_user(email, password, name=name, is_staff=staff, is_superuser=staff)
            EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
