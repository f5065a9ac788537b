"""What happens to a person's account goes into the event log: signing in and out, passwords, addresses, second factors.

Without addresses of machines: the log is kept for good, and the list of sessions, which is not, has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from allauth.account import signals as account
from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from django.utils import timezone

from clusterx.accounts.models import User
from clusterx.accounts.services import stream_of
from clusterx.events import log

EVENTS = (
    "account.opened",
    "session.started",
    "session.ended",
    "password.changed",
    "password.reset",
    "email.confirmed",
    "email.added",
    "email.removed",
    "email.changed",
    "factor.added",
    "factor.removed",
    "factor.reset",
)


PROOFS = ("password", "mfa")


@dataclass(frozen=True)
class AccountNews:
    """``by`` says which way: the methods of a sign-in, the kind of a factor, an e-mail address."""

    by: str = ""


for _name in EVENTS:
    log.register_payload(_name)(AccountNews)


def note(type: str, user: User, by: str = "") -> None:
    log.append(stream=stream_of(user), type=type, payload=AccountNews(by), actor=user, at=timezone.now())


def started(user: User, request: Any, **more: Any) -> None:
    records = get_authentication_records(request, user)
    for record in records:
        # Who has just shown a password or a second factor is not asked for it again at the next step.
        if record["method"] in PROOFS:
            record["reauthenticated"] = True
    request.session.modified = True
    methods = [str(record["method"]) for record in records]
    note("session.started", user, "+".join(methods))


def ended(user: User | None, **more: Any) -> None:
    if user is not None:
        note("session.ended", user)


def connect() -> None:
    """Called once, when the app is ready."""
    plain = {
        account.user_signed_up: "account.opened",
        account.password_set: "password.changed",
        account.password_changed: "password.changed",
        account.password_reset: "password.reset",
    }
    for signal, name in plain.items():
        signal.connect(_noting(name, None), weak=False, dispatch_uid="clusterx.accounts")
    account.user_logged_in.connect(started, dispatch_uid="clusterx.accounts")
    account.user_logged_out.connect(ended, dispatch_uid="clusterx.accounts")
    account.email_added.connect(_noting("email.added", "email_address"), weak=False, dispatch_uid="clusterx.accounts")
    account.email_removed.connect(_noting("email.removed", "email_address"), weak=False, dispatch_uid="clusterx.accounts")
    account.email_changed.connect(_noting("email.changed", "to_email_address"), weak=False, dispatch_uid="clusterx.accounts")
    account.email_confirmed.connect(confirmed, dispatch_uid="clusterx.accounts")
    mfa.authenticator_added.connect(proven, dispatch_uid="clusterx.accounts.proven")
    for signal, name in {
        mfa.authenticator_added: "factor.added",
        mfa.authenticator_removed: "factor.removed",
        mfa.authenticator_reset: "factor.reset",
    }.items():
        signal.connect(_noting(name, "authenticator"), weak=False, dispatch_uid="clusterx.accounts")


def proven(request: Any, user: User, authenticator: Authenticator, **more: Any) -> None:
    """Who sets a factor up shows that they hold it: this session has used it (the staff site asks)."""
    if authenticator.type != Authenticator.Type.RECOVERY_CODES:
        record_authentication(request, user, method="mfa", id=authenticator.pk, type=authenticator.type)


def confirmed(email_address: Any, **more: Any) -> None:
    note("email.confirmed", email_address.user, email_address.email)


def _noting(name: str, fact: str | None) -> Any:
    def receiver(user: User, **facts: Any) -> None:
        about = facts.get(fact) if fact else None
        # An authenticator is named by its kind, an address by itself.
        note(name, user, str(getattr(about, "type", None) or getattr(about, "email", "") or ""))

    return receiver
