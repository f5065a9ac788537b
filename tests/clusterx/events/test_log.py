"""The event log: typed in, typed out, and only ever longer."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from clusterx.events import log
from clusterx.events.models import Event
from tests.factories import UserFactory

NOW = datetime(2024, 8, 9, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Leg:
    price: Decimal
    at: datetime


@log.register_payload("test.happened")
@dataclass(frozen=True)
class Happened:
    what: str
    amount: Decimal
    when: datetime
    subject: uuid.UUID
    legs: tuple[Leg, ...] = ()
    note: str | None = None


def happened(what: str = "rain", **more: object) -> Happened:
    return Happened(what, Decimal("0.10"), NOW, uuid.UUID(int=7), **more)


@pytest.mark.django_db
def test_a_payload_comes_back_as_the_type_it_went_in() -> None:
    payload = happened(legs=(Leg(Decimal("1.50"), NOW),), note="wet")
    event = log.append(stream="test/1", type="test.happened", payload=payload, at=NOW, actor=UserFactory())
    again = Event.objects.get(pk=event.pk)
    assert log.read(again) == payload
    assert again.payload["amount"] == "0.10"
    assert again.occurred_at == NOW


amounts = st.decimals(allow_nan=False, allow_infinity=False)
moments = st.datetimes(timezones=st.just(UTC))
words = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))


@given(st.builds(Happened, what=words, amount=amounts, when=moments, subject=st.uuids(),
                 legs=st.lists(st.builds(Leg, price=amounts, at=moments), max_size=3).map(tuple)))  # fmt: skip
def test_every_payload_survives_the_way_through_json(payload: Happened) -> None:
    event = Event(type="test.happened", version=1, payload=log._plain(log.dataclasses.asdict(payload)))
    assert log.read(event) == payload


@pytest.mark.django_db
def test_sequence_numbers_of_a_stream_grow() -> None:
    first, second = (log.append(stream="test/1", type="test.happened", payload=happened(), at=NOW) for _ in range(2))
    assert second.pk > first.pk
    assert first.correlation_id != second.correlation_id


@pytest.mark.django_db
@pytest.mark.parametrize("payload", [{"what": "rain"}, Happened, Leg(Decimal(1), NOW)])
def test_only_the_registered_type_can_be_logged(payload: object) -> None:
    with pytest.raises(TypeError, match=r"takes Happened|frozen dataclass"):
        log.append(stream="test/1", type="test.happened", payload=payload, at=NOW)


def test_a_name_belongs_to_one_type() -> None:
    with pytest.raises(TypeError, match="is Happened already"):
        log.register_payload("test.happened")(Leg)


def test_reading_what_nobody_registered_says_so() -> None:
    with pytest.raises(log.UnknownPayload, match=r"nobody\.knows version 1"):
        log.read(Event(type="nobody.knows", version=1, payload={}))


CHANGES = {
    "update": "update events_event set stream = 'x'",
    "delete": "delete from events_event",
    "truncate": "truncate events_event",
}


@pytest.mark.django_db
@pytest.mark.parametrize("verb", CHANGES)
@pytest.mark.parametrize("as_replica", [False, True])
def test_the_database_refuses_to_change_the_log(verb: str, as_replica: bool) -> None:
    log.append(stream="test/1", type="test.happened", payload=happened(), at=NOW)
    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")  # or a truncate fails for that reason
        if as_replica:
            cursor.execute("set local session_replication_role = replica")
        with pytest.raises(IntegrityError, match=f"events_event is append-only: {verb} refused"), transaction.atomic():
            cursor.execute(CHANGES[verb])
    assert Event.objects.filter(stream="test/1").count() == 1


@pytest.mark.django_db
def test_the_tests_own_way_in_opens_no_other_database() -> None:
    """The guard asks the server for the name of the database; only one called test_… lets a session through."""
    log.append(stream="test/1", type="test.happened", payload=happened(), at=NOW)
    with connection.cursor() as cursor:
        cursor.execute("select prosrc from pg_proc where proname = 'clusterx_append_only'")
        source = cursor.fetchone()[0]
        # The same function with another name in place of this database's.
        body = source.replace("current_database()", "'clusterx'::text").replace("%", "%%")
        cursor.execute("set local clusterx.append_only = 'off'")
        cursor.execute("delete from events_event")
        assert not Event.objects.exists()
        log.append(stream="test/1", type="test.happened", payload=happened(), at=NOW)
        cursor.execute(f"create or replace function clusterx_append_only() returns trigger language plpgsql as $${body}$$", ())
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            cursor.execute("delete from events_event")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_tests_that_commit_leave_no_events_behind(turn: int) -> None:
    assert not Event.objects.exists()
    log.append(stream="test/1", type="test.happened", payload=happened(str(turn)), at=NOW)
