"""What says whether a process is well, and to whom."""

from __future__ import annotations

import json
import logging

import pytest
import structlog
from django.db import OperationalError
from django.test import Client, override_settings

from clusterx.celery import app as celery
from clusterx.observability import health, logs
from tests.factories import UserFactory


def test_being_alive_asks_no_database() -> None:
    """pytest-django refuses any query here."""
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok")
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
def test_ready_means_that_each_server_answers() -> None:
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": {"database": "ok", "migrations": "ok", "redis": "ok"}}


@pytest.mark.django_db
def test_a_missing_redis_is_named_without_its_address() -> None:
    address = "unix:///nowhere/secret-place.sock"
    with override_settings(LIVE_REDIS_URL=address):
        answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["ready"] is False
    assert answer.json()["checks"]["redis"] == "ConnectionError"
    assert "secret-place" not in answer.content.decode()


@pytest.mark.django_db
def test_a_missing_database_and_a_missing_migration_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> str:
        raise OperationalError("connection to 10.0.0.7 refused")

    monkeypatch.setitem(health.CHECKS, "database", away)
    monkeypatch.setattr(health, "_migrated", False)
    monkeypatch.setattr(health.MigrationExecutor, "migration_plan", lambda self, targets: ["0009_new"])
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "OperationalError", "migrations": "not applied", "redis": "ok"}
    assert "10.0.0.7" not in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_only_read(path: str) -> None:
    assert Client().head(path).status_code == 200
    assert Client().post(path).status_code == 405


# -- metrics ----------------------------------------------------------------------------------------------------

ELSEWHERE = {"REMOTE_ADDR": "203.0.113.9"}


@pytest.mark.django_db
def test_metrics_count_requests_by_route_and_not_by_address() -> None:
    key = "/accounts/password/reset/key/a1-secretkey/"
    Client().get(key)
    text = Client().get("/metrics").content.decode()
    assert 'clusterx_http_requests_total{method="GET",route="healthz"' in text or "clusterx_http_requests_total{" in text
    assert "secretkey" not in text
    assert "password/reset/key/" in text
    assert 'clusterx_http_request_seconds_bucket{le="0.005"' in text


@pytest.mark.django_db
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}, {"X-Forwarded-For": "127.0.0.1"}]
)
def test_strangers_find_no_metrics(headers: dict[str, str]) -> None:
    assert Client(headers=headers, **ELSEWHERE).get("/metrics").status_code == 404
    with override_settings(METRICS_TOKEN="a-long-token"):
        assert Client(headers=headers, **ELSEWHERE).get("/metrics").status_code == 404


@pytest.mark.django_db
def test_a_proxy_on_this_machine_does_not_open_the_metrics() -> None:
    assert Client(headers={"X-Forwarded-For": "127.0.0.1"}, REMOTE_ADDR="127.0.0.1").get("/metrics").status_code == 404


@pytest.mark.django_db
def test_staff_and_the_scrapers_token_open_the_metrics() -> None:
    with override_settings(METRICS_TOKEN="a-long-token"):
        assert Client(headers={"Authorization": "Bearer a-long-token"}, **ELSEWHERE).get("/metrics").status_code == 200
    person = Client(**ELSEWHERE)
    person.force_login(UserFactory())
    assert person.get("/metrics").status_code == 404
    person.force_login(UserFactory(is_staff=True))
    assert person.get("/metrics").status_code == 200


# -- logs ---------------------------------------------------------------------------------------------------------


def line(formatter: logging.Formatter, message: str, *, error: bool = False) -> str:
    try:
        raise KeyError("oh")
    except KeyError as raised:
        record = logging.LogRecord("clusterx.x", logging.ERROR, __file__, 1, message, (), (KeyError, raised, None))
    if not error:
        record.exc_info = None
    return formatter.format(record)


def test_a_machines_line_is_json_and_names_the_request() -> None:
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        said = json.loads(line(logs.json_formatter(), "it broke", error=True))
    assert (said["event"], said["level"], said["logger"], said["request_id"]) == ("it broke", "error", "clusterx.x", "abc")
    assert "KeyError: 'oh'" in said["exception"]
    assert said["timestamp"].endswith("Z")


def test_a_line_of_a_task_names_the_task() -> None:
    seen: list[str] = []

    @celery.task(name="tests.say")
    def say() -> None:
        seen.append(line(logs.json_formatter(), "working"))

    say.apply(task_id="task-7")
    assert json.loads(seen[0])["task_id"] == "task-7"
    assert json.loads(seen[0])["task"] == "tests.say"
    assert "task_id" not in json.loads(line(logs.json_formatter(), "idle"))


def test_a_persons_line_is_short() -> None:
    assert line(logs.line_formatter(), "it broke") == "E clusterx.x: it broke"
