"""A person's own settings: how things look, and keys to the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from allauth.account.decorators import reauthentication_required
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import get_language_from_request
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST
from django.views.i18n import set_language

from clusterx.accounts import services
from clusterx.accounts.forms import DisplayForm, TokenForm
from clusterx.accounts.models import ApiToken, User
from clusterx.errors import DomainError


@login_required
@require_http_methods(["GET", "POST"])
def display(request: HttpRequest) -> HttpResponse:
    form = DisplayForm(request.POST or None, instance=cast(User, request.user))
    if request.method == "POST" and form.is_valid():
        form.save()
        translation.activate(form.instance.language or get_language_from_request(request))
        messages.success(request, _("Saved."))
        response = redirect("settings-display")
        for choice_of_this_device in ("theme", "palette", settings.LANGUAGE_COOKIE_NAME):
            response.delete_cookie(choice_of_this_device)
        return response
    return render(request, "settings/display.html", {"form": form, "tab": "display"})


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Another language on this device (a cookie), and for the account of whoever has signed in."""
    wanted = request.POST.get("language", "")
    if request.user.is_authenticated and wanted in dict(settings.LANGUAGES):
        request.user.language = wanted
        request.user.save(update_fields=["language"])
    return set_language(request)


@login_required
@require_http_methods(["GET", "POST"])
@reauthentication_required(allow_get=True)
def tokens(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    form = TokenForm(request.POST or None)
    context: dict[str, Any] = {"form": form, "tab": "tokens"}
    if request.method == "POST" and form.is_valid():
        now = timezone.now()
        days = form.cleaned_data["days"]
        expires = now + timedelta(days=days) if days else None
        wanted = {"name": form.cleaned_data["name"], "scope": form.cleaned_data["scope"]}
        try:
            _token, context["made"] = services.make_token(user=user, at=now, expires_at=expires, **wanted)
            context["form"] = TokenForm()
        except DomainError as error:
            context["error"] = error.message
    context["tokens"] = user.api_tokens.filter(revoked_at=None)
    context["now"] = timezone.now()
    # The page may show a token: nobody keeps a copy of it.
    response = render(request, "settings/tokens.html", context)
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
def revoke_token(request: HttpRequest, public_id: Any) -> HttpResponse:
    try:
        services.revoke_token(user=cast(User, request.user), public_id=public_id, at=timezone.now())
    except ApiToken.DoesNotExist:
        raise Http404 from None
    messages.success(request, _("The token no longer works."))
    return redirect("settings-tokens")
