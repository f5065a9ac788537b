"""What every template can read."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest

from clusterx.accounts.models import User

MAIL_IN_FILES = "django.core.mail.backends.filebased.EmailBackend"


def platform(request: HttpRequest) -> dict[str, Any]:
    """``theme`` and ``palette``: this device's choice (a cookie), else the account's, else the standard.

    ``mail_folder`` is where mails lie as files, on a machine of a developer alone. ``named_address`` is None where the site is
    asked for by a name; by an IP address, which browsers bind no passkey to, it is this page by name, or "" if it has none.
    """
    user = getattr(request, "user", None)
    account = user if isinstance(user, User) else None
    return {
        "theme": _chosen(request, account, "theme", User.Theme),
        "palette": _chosen(request, account, "palette", User.Palette),
        "mail_folder": settings.EMAIL_FILE_PATH if settings.EMAIL_BACKEND == MAIL_IN_FILES else None,
        "named_address": _named_address(request),
    }


def _named_address(request: HttpRequest) -> str | None:
    try:
        asked = urlsplit(f"//{request.get_host()}")
        address = ip_address(asked.hostname or "")
    except (ValueError, DisallowedHost):  # a name; or whatever strangers write, whose error page is being rendered
        return None
    if not address.is_loopback:
        return ""
    port = f":{asked.port}" if asked.port else ""
    return f"{request.scheme}://localhost{port}{request.get_full_path()}"


def _chosen(request: HttpRequest, account: User | None, name: str, choices: Any) -> str:
    here = request.COOKIES.get(name, "")
    if here in choices.values:
        return here
    return str(getattr(account, name)) if account else str(choices.values[0])
