"""Every HTTP request: a number to find it by, one log line, one measurement, and a door that keeps nonsense out."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable

import structlog
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.urls import get_resolver
from prometheus_client import Counter, Histogram

from clusterx.api.problems import problem_response

logger = logging.getLogger("clusterx.requests")
GIVEN_NUMBER = re.compile(r"[A-Za-z0-9-]{8,64}")
SLOW = 1.0
HEADER = "X-Request-ID"

REQUESTS = Counter("clusterx_http_requests", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "clusterx_http_request_seconds",
    "Time to answer, by route.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class RequestMiddleware:
    """Stands before everything else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        number = given if GIVEN_NUMBER.fullmatch(given) else uuid.uuid4().hex
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=number):
            response = _refusal(request) or self.get_response(request)
            self._record(request, response, time.perf_counter() - started)
        response[HEADER] = number
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A value that the database cannot hold came from whoever sent it; pages say so, as the API does by itself."""
        if isinstance(error, DataError | UnicodeEncodeError) or (isinstance(error, ValueError) and "NUL" in str(error)):
            answer: HttpResponse = get_resolver().resolve_error_handler(400)(request, error)  # type: ignore[call-arg]
            return answer
        return None

    def _record(self, request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        # The route and not the path: paths hold keys of mails, and metrics one series for each.
        match = request.resolver_match
        route = match.route if match is not None else "none"
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(method, route, response.status_code).inc()
        SECONDS.labels(route).observe(seconds)
        level = logging.WARNING if response.status_code >= 500 or seconds > SLOW else logging.DEBUG
        logger.log(level, "%s %s %s in %.0f ms", method, route, response.status_code, seconds * 1000)


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """PostgreSQL cannot hold NUL characters, and nobody means them: not in an address, and not in a cookie."""
    address = "\x00" in request.path or "%00" in request.META.get("QUERY_STRING", "")
    if not address and not any("\x00" in value for value in request.COOKIES.values()):
        return None
    detail = f"{'An address' if address else 'A cookie'} must not hold NUL characters."
    if request.path.startswith("/api/"):
        return problem_response(400, "invalid", detail)
    return HttpResponse(detail, status=400, content_type="text/plain")
