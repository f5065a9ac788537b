"""What editors ask for while the sandbox or the engine is not there yet: answered soon, worked out once, said at the end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from django.test import Client

from clusterx.accounts.models import User
from clusterx.observability.requests import SLOW
from clusterx.processes import web
from strategies.services import inspections, subjects
from strategies.views import checking, preview, waiting
from strategies.views.waiting import Desk, NotYet

pytestmark = pytest.mark.django_db
ROOM = 20.0


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What is worked on waits for it."""
    opened = threading.Event()
    yield opened
    opened.set()


@pytest.fixture
def client() -> Client:
    browser = Client()
    browser.force_login(User.objects.create_user("writer@clusterx.example", "a-long-password"))
    return browser


def post_json(client: Client, path: str, **body: Any) -> Any:
    return client.post(path, json.dumps(body), content_type="application/json")


def settled(client: Client, path: str, **body: Any) -> dict[str, Any]:
    """As the page does it: asked again for as long as it comes later."""
    while (answer := post_json(client, path, **body).json()).get("later"):
        pass
    return answer


def test_no_request_is_held_longer_than_the_server_lets_one_that_was_left_live():
    command = web().command
    closes = float(command[command.index("--application-close-timeout") + 1])
    assert min(closes / 2, SLOW) > waiting.PATIENCE
    desks = [one for module in (checking, preview) for one in vars(module).values() if isinstance(one, Desk)]
    assert len(desks) == 3
    assert {one.patience for one in desks} == {waiting.PATIENCE}


def test_a_check_that_takes_long_is_answered_soon_and_once_it_is_over(client, gate, monkeypatch):
    read: list[str] = []

    def declared(source: str) -> dict[str, Any]:
        read.append(source)
        gate.wait(ROOM)
        return {"name": source, "parameters": []}

    monkeypatch.setattr(inspections, "declared_in", declared)
    monkeypatch.setattr(checking._readers, "patience", 0.02)
    first = post_json(client, "/strategies/lint/", source="slow")
    assert (first.status_code, first.json()["later"]) == (202, True)
    assert post_json(client, "/strategies/lint/", source="slow").status_code == 202
    gate.set()
    assert settled(client, "/strategies/lint/", source="slow")["declaration"]["name"] == "slow"
    assert read == ["slow"]


@pytest.mark.parametrize(("is_warm", "words"), [(False, "this happens once"), (True, "Still reading")])
def test_the_wait_is_said_by_its_cause(client, gate, monkeypatch, is_warm, words):
    monkeypatch.setattr(inspections, "declared_in", lambda source: gate.wait(ROOM))
    monkeypatch.setattr(checking._readers, "patience", 0.02)
    monkeypatch.setattr(type(subjects.pool()), "is_warm", is_warm)
    assert words in post_json(client, "/strategies/lint/", source=f"cause {is_warm}").json()["message"]


def test_a_refusal_is_told_to_who_asks_again(client, gate, monkeypatch):
    from strategies.errors import Refused

    def declared(source: str) -> None:
        gate.wait(ROOM)
        raise Refused("does not parse", reason="error", line=3)

    monkeypatch.setattr(inspections, "declared_in", declared)
    monkeypatch.setattr(checking._readers, "patience", 0.02)
    assert post_json(client, "/strategies/lint/", source="wrong").json()["later"]
    gate.set()
    assert settled(client, "/strategies/lint/", source="wrong")["line"] == 3


def test_the_builders_page_loads_no_indicators_and_its_vocabulary_comes_after(client, monkeypatch, gate):
    monkeypatch.setattr(checking, "_loaded_rules", lambda: gate.wait(ROOM))
    monkeypatch.setattr(checking, "_libraries", Desk("slow libraries", threads=1, patience=0.02))
    assert client.get("/strategies/new/rules/").status_code == 200
    assert client.get("/strategies/new/code/").status_code == 200
    answer = client.get("/strategies/vocabulary/")
    assert (answer.status_code, answer.json()["later"]) == (202, True)
    assert post_json(client, "/strategies/preview/", document={}).json()["later"]
    monkeypatch.undo()
    while (found := client.get("/strategies/vocabulary/").json()).get("later"):
        pass
    assert {"sma", "rsi"} <= {one["name"] for one in found["vocabulary"]["indicators"]}
    assert all(one["sentence"] for one in found["gallery"])


@pytest.mark.parametrize("path", ["/strategies/vocabulary/", "/strategies/names/"])
def test_what_editors_load_is_for_who_has_signed_in(path):
    assert Client().get(path).status_code == 302


# -- the desk ---------------------------------------------------------------------------------------------------------------


def test_what_is_asked_twice_is_worked_out_once_and_given_to_both(gate):
    desk, begun = Desk("twice", patience=0.01), []

    def work() -> str:
        begun.append(1)
        gate.wait(ROOM)
        return "done"

    for _ in range(3):
        with pytest.raises(NotYet):
            desk.ask("ann", "x", work)
    gate.set()
    desk.patience = ROOM
    assert desk.ask("ann", "x", work) == "done"
    assert len(begun) == 1
    assert desk.ask("ann", "x", work) == "done"  # it was given out, so it is worked out anew
    assert len(begun) == 2


def test_texts_that_have_changed_since_are_not_read_any_more(gate):
    desk = Desk("stale", threads=1, patience=0.01)
    desk.begin("ann", "busy", lambda: gate.wait(ROOM))
    asked: list[Future[None]] = [desk.begin("bob", text, lambda: None) for text in range(10)]
    assert [one.cancelled() for one in asked] == [True] * (10 - waiting.MOST) + [False] * waiting.MOST
    gate.set()
    desk.patience = ROOM
    assert desk.ask("bob", 9, lambda: None) is None


def test_an_error_of_the_work_that_is_a_timeout_is_no_waiting():
    def late() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        Desk("own", patience=ROOM).ask("ann", "x", late)
