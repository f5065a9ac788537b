"""Pages that belong to no app: the landing page, the licences, the health checks and what is shown when something fails."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import path
from django.utils import timezone
from django.views import defaults
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView, TemplateView

from clusterx.api.problems import problem_response
from clusterx.observability import health
from clusterx.work import work_of


class FaviconView(RedirectView):
    """For pages that name no icon: the staff site's, and what is no page."""

    def get_redirect_url(self, *args: Any, **kwargs: Any) -> str:
        return static("images/icon.svg")


@login_required
@require_safe
@never_cache
def tray(request: HttpRequest) -> HttpResponse:
    """What of the person's long work runs or was over within the hour."""
    items = work_of(request.user, timezone.now())
    running = sum(item.state == "running" for item in items)
    return render(request, "components/work.html", {"items": items, "running": running, "count": running or len(items)})


urlpatterns = [
    path("tray/", tray, name="work"),
    path("", TemplateView.as_view(template_name="pages/home.html"), name="home"),
    path("licences/", TemplateView.as_view(template_name="pages/licences.html"), name="licences"),
    path("favicon.ico", FaviconView.as_view()),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]


# Django's own pages (400.html, 403.html, 500.html), and problems where a program asked. An unknown address under /api/ needs no
# such function: the API's own addresses end in one that takes everything.


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _of_the_api(request):
        return problem_response(400, "invalid", "The request could not be read.")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _of_the_api(request):
        return problem_response(403, "permission-denied", "You may not do that.")
    return defaults.permission_denied(request, exception)


def server_error(request: HttpRequest, *more: Any) -> HttpResponse:
    if _of_the_api(request):
        detail = "Something broke here; it has been recorded under the number in X-Request-ID."
        return problem_response(500, "internal-error", detail)
    return defaults.server_error(request)


def _of_the_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
