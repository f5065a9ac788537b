"""Who asks, and what is theirs: everything of somebody else is not found."""

from __future__ import annotations

import json
import uuid
from typing import Any, cast

from django.http import Http404, HttpRequest

from clusterx.accounts.models import User
from strategies import selectors
from strategies.models import Run, Study, UserStrategy, Version


def person(request: HttpRequest) -> User:
    """Of a view that asks for signing in."""
    return cast(User, request.user)


def my_run(request: HttpRequest, public_id: uuid.UUID) -> Run:
    try:
        return selectors.run_of(person(request), public_id)
    except Run.DoesNotExist:
        raise Http404("there is no such run") from None


def my_strategy(request: HttpRequest, public_id: uuid.UUID) -> UserStrategy:
    try:
        return selectors.strategy_of(person(request), public_id)
    except UserStrategy.DoesNotExist:
        raise Http404("there is no such strategy") from None


def my_version(request: HttpRequest, public_id: uuid.UUID | str) -> Version:
    try:
        return selectors.version_of(person(request), uuid.UUID(str(public_id)))
    except (Version.DoesNotExist, ValueError):
        raise Http404("there is no such version") from None


def my_study(request: HttpRequest, public_id: uuid.UUID | str) -> Study:
    try:
        return selectors.study_of(person(request), uuid.UUID(str(public_id)))
    except (Study.DoesNotExist, ValueError):
        raise Http404("there is no such study") from None


def uuid_of(text: str) -> uuid.UUID | None:
    """The public id that ``text`` writes, or None."""
    try:
        return uuid.UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


def wants(request: HttpRequest, part: str) -> bool:
    """Whether a script asks for one part of the page."""
    return request.GET.get("part") == part and bool(
        request.headers.get("HX-Request") or request.headers.get("X-Requested-With")
    )


def given_json(request: HttpRequest) -> dict[str, Any]:
    """The object that a script sent; empty where it is none."""
    try:
        given = json.loads(request.body)
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def text_in(given: dict[str, Any], name: str) -> str:
    value = given.get(name, "")
    return value if isinstance(value, str) else ""
