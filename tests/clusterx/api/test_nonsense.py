"""Whatever is sent to whatever operation of the document: never a 500, and every refusal is a problem."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import yaml
from django.core.management import call_command
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient
from rest_framework.throttling import AnonRateThrottle, UserRateThrottle

from tests.factories import AccountFactory, DeploymentFactory, InstrumentFactory, UserFactory

EXTREMES = [
    *(0, -1, 1, 2**31, 2**63, 10**30, -(10**30), 0.1, 1e308, -1e308, True, False, None),
    *("", " ", "0", "-1", "1e999", "NaN", "Infinity", "true", "a,b", "\u202e", "\x00", "é" * 300, "2024-13-45", "9" * 20),
    *("1m", "5m", "ema(20)", "ema(0)", "macd(12,26,9)", "ema(9999999999)", "ema(" * 50),
    *([], {}, [[]], {"": ""}),
]
words = st.one_of(st.sampled_from(EXTREMES), st.text(max_size=40), st.integers(), st.floats(allow_nan=False))
anything = st.recursive(
    words, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def operations() -> list[tuple[str, str, list[dict[str, Any]], list[str]]]:
    """Method, path, parameters and the names of the body's fields."""
    out = StringIO()
    call_command("spectacular", stdout=out)
    schema = yaml.safe_load(out.getvalue())
    found = []
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            if "$ref" in body:
                body = schema["components"]["schemas"][body["$ref"].rsplit("/", 1)[1]]
            found.append((method, path, operation.get("parameters", []), list(body.get("properties", {}))))
    return found


OPERATIONS = operations()


@pytest.fixture(autouse=True)
def _no_throttle(monkeypatch: pytest.MonkeyPatch) -> None:
    for throttle in (AnonRateThrottle, UserRateThrottle):
        monkeypatch.setattr(throttle, "THROTTLE_RATES", {"anon": None, "user": None})


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "parameters", "fields"), OPERATIONS, ids=[f"{one[0]} {one[1]}" for one in OPERATIONS]
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_operation_takes_any_nonsense(
    data: st.DataObject, method: str, path: str, parameters: list[dict[str, Any]], fields: list[str]
) -> None:
    with transaction.atomic():
        owner = UserFactory()
        deployment = DeploymentFactory(account=AccountFactory(owner=owner), instrument=InstrumentFactory())
        url, query = path, {}
        for parameter in parameters:
            name = parameter["name"]
            if parameter["in"] == "path":
                if parameter["schema"].get("format") == "uuid":
                    text = st.one_of(st.just(str(deployment.public_id)), st.just(str(deployment.account.public_id)), st.uuids())
                else:
                    text = st.one_of(st.just(deployment.instrument.ref), st.text(min_size=1, max_size=30))
                url = url.replace(f"{{{name}}}", quote(str(data.draw(text)), errors="replace"))
            elif data.draw(st.booleans()):
                query[name] = str(data.draw(words))
        shaped = st.fixed_dictionaries({}, optional=dict.fromkeys(fields, anything)) if fields else anything
        sent = json.dumps(data.draw(st.one_of(shaped, anything)))
        client = APIClient(raise_request_exception=False)
        client.force_authenticate(owner)
        asked = urlencode(query, errors="replace")
        answer = client.generic(method.upper(), url, sent, content_type="application/json", QUERY_STRING=asked)
        assert answer.status_code < 500, (url, query, sent, answer.content)
        if answer.status_code >= 400:
            assert answer["Content-Type"] == "application/problem+json", (url, query, sent)
            assert answer.json()["detail"]
        transaction.set_rollback(True)
