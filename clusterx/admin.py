"""The staff site: for staff who signed in with a second factor."""

from __future__ import annotations

from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _


class PlatformAdminSite(AdminSite):
    site_header = "ClusterX"
    site_title = "ClusterX"
    index_title = "Staff"

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and with_second_factor(request)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one way to sign in, with its limits on guessing; this site only says what is missing."""
        user = request.user
        back = urlencode({"next": request.GET.get("next") or reverse("admin:index")})  # allauth takes none of another site
        if not user.is_authenticated:
            return redirect(f"{reverse('account_login')}?{back}")
        if not (user.is_active and user.is_staff):
            messages.error(request, _("This part is for staff."))
            return redirect("home")
        if not is_mfa_enabled(user):
            messages.warning(request, _("The staff site asks for a second factor. Set one up first."))
            return redirect("mfa_index")
        messages.warning(request, _("The staff site asks you to confirm with your second factor."))
        return redirect(f"{reverse('mfa_reauthenticate')}?{back}")


def with_second_factor(request: HttpRequest) -> bool:
    """Whether a second factor was used in this session: having one is not enough."""
    return any(record.get("method") == "mfa" for record in get_authentication_records(request, request.user))
