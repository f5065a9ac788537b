"""Errors of the API, in one shape and in one place: problem details (RFC 9457) with stable codes.

What a person sends never gives a 500: domain errors, invalid fields, unreadable bodies and values that the database
cannot hold all become problems that name the field and what was expected.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.exceptions import APIException, ErrorDetail
from rest_framework.response import Response
from rest_framework.views import set_rollback

from clusterx.api.renderers import FastJSONRenderer
from clusterx.errors import DomainError

CONTENT_TYPE = "application/problem+json"


def problem(status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail} | more


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook: every exception that has an answer becomes one."""
    body, headers = _body(error)
    if body is None:
        return None
    set_rollback()
    return Response(body, status=body["status"], headers=headers, content_type=CONTENT_TYPE)


def not_found(request: HttpRequest, path: str = "") -> HttpResponse:
    """Unknown addresses under /api/ answer as the API does."""
    body = problem(404, "not-found", f"There is no {request.method} {request.path}.")
    return HttpResponse(FastJSONRenderer().render(body), status=404, content_type=CONTENT_TYPE)


def _body(error: Exception) -> tuple[dict[str, Any] | None, dict[str, str]]:
    match error:
        case DomainError():
            facts = dict(error.facts)
            field = facts.pop("field", None)
            more: dict[str, Any] = {"facts": facts} if facts else {}
            if field:
                more["errors"] = [{"field": field, "code": error.code, "detail": error.message}]
            return problem(error.http_status, error.code, error.message, **more), {}
        case exceptions.ValidationError():
            errors = list(_flatten(error.detail))
            first = errors[0] if errors else {"field": "", "detail": ""}
            detail = f"{first['field']}: {first['detail']}" if first["field"] else first["detail"]
            return problem(400, "invalid", detail, errors=errors), {}
        case DjangoValidationError():
            errors = [{"field": "", "code": "invalid", "detail": text} for text in error.messages]
            return problem(400, "invalid", errors[0]["detail"], errors=errors), {}
        case exceptions.Throttled():
            wait = int(error.wait or 1)
            detail = f"Too many requests; try again in {wait} s."
            return problem(429, "throttled", detail), {"Retry-After": str(wait)}
        case Http404():
            return problem(404, "not-found", str(error) or "There is no such thing, or it is not yours."), {}
        case PermissionDenied():
            return problem(403, "permission-denied", str(error) or "You may not do that."), {}
        case APIException():
            code = str(error.default_code).replace("_", "-")
            headers = {"WWW-Authenticate": error.auth_header} if hasattr(error, "auth_header") else {}
            return problem(error.status_code, code, str(error.detail)), headers
        case DataError() | UnicodeEncodeError():
            return problem(400, "invalid", "A value is beyond what can be stored: a number too large, or a NUL character."), {}
        case SuspiciousOperation():
            return problem(400, "invalid", "The request makes no sense."), {}
        case ValueError() if "NUL" in str(error):
            return problem(400, "invalid", "Text must not hold NUL characters."), {}
    return None, {}


def _flatten(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Nested serializer errors as a flat list of field paths."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            own = "" if name == "non_field_errors" else str(name)
            yield from _flatten(inner, ".".join(filter(None, (path, own))))
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from _flatten(inner, f"{path}.{place}" if nested else path)
    elif isinstance(detail, ErrorDetail):
        yield {"field": path, "code": str(detail.code).replace("_", "-"), "detail": str(detail)}
