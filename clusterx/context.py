"""What every template can read."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from clusterx.accounts.models import User

MAIL_IN_FILES = "django.core.mail.backends.filebased.EmailBackend"


def platform(request: HttpRequest) -> dict[str, Any]:
    """``theme`` and ``palette``: this device's choice (a cookie), else the account's, else the standard.

    ``mail_folder`` is where mails lie as files, on a machine of a developer alone.
    """
    user = getattr(request, "user", None)
    account = user if isinstance(user, User) else None
    return {
        "theme": _chosen(request, account, "theme", User.Theme),
        "palette": _chosen(request, account, "palette", User.Palette),
        "mail_folder": settings.EMAIL_FILE_PATH if settings.EMAIL_BACKEND == MAIL_IN_FILES else None,
    }


def _chosen(request: HttpRequest, account: User | None, name: str, choices: Any) -> str:
    here = request.COOKIES.get(name, "")
    if here in choices.values:
        return here
    return str(getattr(account, name)) if account else str(choices.values[0])
