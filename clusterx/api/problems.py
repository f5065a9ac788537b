"""Errors of the API, in one shape and in one place: problem details (RFC 9457) with stable codes.

What a person sends never gives a 500: domain errors, invalid fields, unreadable bodies and values that the database
cannot hold all become problems that name the field and what was expected.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import redis
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.exceptions import APIException, ErrorDetail
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from clusterx.api.renderers import FastJSONRenderer
from clusterx.errors import DomainError

logger = logging.getLogger(__name__)
CONTENT_TYPE = "application/problem+json"
AGAIN_SOON = "5"
NOT_YOURS = "There is no such thing, or it is not yours."

Found = tuple[dict[str, Any] | None, dict[str, str]]


def problem(status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    """The body of one problem; ``more`` may hold ``errors`` (fields) and ``facts`` (the numbers behind the detail)."""
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail} | more


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook: every exception that has an answer becomes one."""
    body, headers = _of_request(error)
    if body is None:
        body, headers = _of_servers(error)
    if body is None:
        return None
    set_rollback()
    return Response(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)


def problem_response(status: int, code: str, detail: str) -> HttpResponse:
    """A problem outside of DRF's views: from middleware and from Django's own error handlers."""
    body = FastJSONRenderer().render(problem(status, code, detail))
    return HttpResponse(body, status=status, content_type=CONTENT_TYPE)


@csrf_exempt
def not_found(request: HttpRequest, path: str = "") -> HttpResponse:
    """Unknown addresses under /api/ answer as the API does."""
    return problem_response(404, "not-found", f"There is no {request.method} {request.path[:200]}.")


def _of_request(error: Exception) -> Found:
    """What is wrong with what was sent."""
    match error:
        case DomainError():
            facts = dict(error.facts)
            field = facts.pop("field", None)
            more: dict[str, Any] = {"facts": facts} if facts else {}
            if field:
                more["errors"] = [{"field": field, "code": error.code, "detail": error.message}]
            return problem(error.http_status, error.code, error.message, **more), {}
        case exceptions.ValidationError():
            return _invalid(list(_flatten(error.detail))), {}
        case DjangoValidationError():
            return _invalid(list(_django_fields(error))), {}
        case exceptions.Throttled():
            wait = max(1, int(error.wait or 1))  # type: ignore[attr-defined]
            return problem(429, "throttled", f"Too many requests; try again in {wait} s."), {"Retry-After": str(wait)}
        case Http404():
            said = str(error)
            generic = not said or said.endswith("matches the given query.")
            return problem(404, "not-found", NOT_YOURS if generic else said), {}
        case PermissionDenied():
            return problem(403, "permission-denied", str(error) or "You may not do that."), {}
        case APIException():
            code = str(error.default_code).replace("_", "-")
            headers = {"WWW-Authenticate": error.auth_header} if hasattr(error, "auth_header") else {}
            return problem(error.status_code, code, str(error.detail)), headers
        case DataError() | UnicodeEncodeError():
            return problem(400, "invalid", "A value is beyond what can be stored: a number too large, or a NUL character."), {}
        case RequestDataTooBig():
            return problem(413, "too-large", "The request is too large."), {}
        case SuspiciousOperation():
            return problem(400, "invalid", "The request makes no sense."), {}
        case ValueError() if "NUL" in str(error):
            return problem(400, "invalid", "Text must not hold NUL characters."), {}
    return None, {}


def _of_servers(error: Exception) -> Found:
    """What another request, or a server of ours, got in the way of."""
    match error:
        case IntegrityError():
            # Services check first and lock; what still collides did so at the same moment. Logged, because it may be a bug.
            logger.warning("A write collided", exc_info=error)
            return problem(409, "conflict", "Something else changed the same thing at the same moment. Look again."), {}
        case OperationalError() | InterfaceError() | redis.ConnectionError() | redis.TimeoutError():
            logger.error("A server that the API needs is away", exc_info=error)
            detail = "A server behind the API does not answer. Nothing was changed; try again soon."
            return problem(503, "unavailable", detail), {"Retry-After": AGAIN_SOON}
    return None, {}


def _invalid(errors: list[dict[str, str]]) -> dict[str, Any]:
    first = errors[0] if errors else {"field": "", "detail": "The request is invalid."}
    detail = f"{first['field']}: {first['detail']}" if first["field"] else first["detail"]
    return problem(400, "invalid", detail, errors=errors)


def _flatten(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Nested serializer errors as a flat list of field paths."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            own = "" if name == api_settings.NON_FIELD_ERRORS_KEY else str(name)
            yield from _flatten(inner, ".".join(filter(None, (path, own))))
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from _flatten(inner, ".".join(filter(None, (path, str(place)))) if nested else path)
    elif isinstance(detail, ErrorDetail):
        yield {"field": path, "code": str(detail.code).replace("_", "-"), "detail": str(detail)}


def _django_fields(error: DjangoValidationError) -> Iterator[dict[str, str]]:
    if not hasattr(error, "error_dict"):
        for one in error.error_list:
            yield {"field": "", "code": (one.code or "invalid").replace("_", "-"), "detail": " ".join(one.messages)}
        return
    for name, listed in error.error_dict.items():
        for one in listed:
            field = "" if name == NON_FIELD_ERRORS else name
            yield {"field": field, "code": (one.code or "invalid").replace("_", "-"), "detail": " ".join(one.messages)}
