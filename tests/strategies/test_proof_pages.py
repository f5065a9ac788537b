"""What the page of a version shows of its proof, what it says in French, and how another proof is asked for."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.translation import override

from strategies import channels, proof_wording, selectors, tasks
from strategies.errors import TooEarly
from strategies.models import Inspection, Version
from strategies.proving import prove
from strategies.proving.series import market
from strategies.proving.verdict import CHECKS
from strategies.services import inspections, proofs
from strategies.services.strategies import create_strategy
from strategies.views.proofs import MENDING, TITLES
from tests.factories import START, UserFactory

pytestmark = pytest.mark.django_db

SOURCE = "\n".join(f"line_{number} = {number}" for number in range(1, 31)) + "\n"
REFUSED = {
    "version": 1, "passed": False, "bars": 1500, "seed": 7, "declared": 20, "needed": None, "on": "ranging", "values": {"n": 5},
    "summary": "Bar 412 changes when bar 413 is removed: exposure 1 becomes 0: probably line 17, which moves later values to "
    "earlier bars (shift by a negative number).",
    "checks": [
        {"name": "activity", "asks": "", "count": 1, "passed": True, "note": ""},
        {"name": "repeat", "asks": "", "count": 2, "passed": True, "note": ""},
        {"name": "prefix", "asks": "", "count": 240, "passed": False, "note": ""},
        {"name": "history", "asks": "", "count": 0, "passed": True, "note": "not made: the checks above have failed"},
    ],
    "failures": [
        {
            "check": "prefix", "bar": 412, "cause": 413, "times": 9, "line": 17, "facts": {},
            "message": "Bar 412 changes when bar 413 is removed: exposure 1 becomes 0",
            "reason": "moves later values to earlier bars (shift by a negative number)",
            "sentence": "Bar 412 changes when bar 413 is removed: exposure 1 becomes 0: probably line 17, which moves later "
            "values to earlier bars (shift by a negative number).",
        }
    ],
    "hints": ["It declares 900 bars of history; 20 did on these bars."],
    "series": [
        {
            "on": "ranging", "values": {"n": 5}, "bars": 1500, "first": "2024-01-01T00:00:00Z", "last": "2024-03-03T11:00:00Z",
            "passed": False, "summary": "", "questions": 243,
        }
    ],
}  # fmt: skip


def version_of(person: Any, **found: Any) -> Version:
    made = create_strategy(owner=person, name="Mine", source=SOURCE, at=START)
    Inspection.objects.filter(version=made).update(**found)
    return selectors.versions().get(pk=made.pk)


def refused(person: Any, **more: Any) -> Version:
    found = {"status": "passed", "declaration": {"style": "Strategy", "parameters": []}, "proved": False, "proof": REFUSED}
    return version_of(person, **(found | {"inspected_at": START} | more))


def page_of(client: Client, version: Version, language: str = "en", **query: str) -> str:
    answer = client.get(f"/strategies/versions/{version.public_id}/", query, headers={"accept-language": language})
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def test_a_refused_version_shows_each_check_the_sentence_and_the_line(client, person):
    page = page_of(client, refused(person))
    assert "It can be neither deployed nor listed." in page
    assert "Bar 412 changes when bar 413 is removed: exposure 1 becomes 0." in page
    assert (
        '<a href="#line-17">Probably line 17</a>, which moves later values to earlier bars (shift by a negative number).'
        in page
    )
    assert 'class="code-line here" id="line-17"' in page
    assert page.count('class="code-line here"') == 1
    assert "shift by positive numbers" in page  # how to mend it
    assert "&line=17" in page  # the editor opens there
    for words in ("Prefix invariance", "240 questions", "not made", "the checks above have failed", "Invented market: ranging"):
        assert words in page, words
    assert "With n 5." in page
    assert "It declares 900 bars of history; 20 did on these bars." in page


def test_the_proof_is_french_where_the_page_is(client, person):
    page = page_of(client, refused(person), "fr")
    for english in ("Bar 412", "moves later values", "Decisions stay", "the checks above", "did on these bars", "Invented"):
        assert english not in page, english
    assert "412" in page
    assert "shift" in page


def test_a_version_that_passed_says_so_with_its_warm_up(client, person):
    passed = REFUSED | {
        "passed": True,
        "summary": "Passed 1,243 checks on 1,500 bars.",
        "failures": [],
        "checks": REFUSED["checks"][:2],
    }
    page = page_of(client, refused(person, proved=True, proof=passed, warm_up=20))
    assert "It passed: no decision leans on what came later." in page
    assert "that comes with live trading" in page
    assert "deployed and listed" not in page
    assert passed["summary"] in page
    assert "20 bars" in page
    assert "code-line here" not in page


def test_a_version_that_does_not_run_says_what_that_means(client, person):
    version = version_of(person, status="failed", reason="error", message="name 'x' is not defined", line=4, inspected_at=START)
    page = page_of(client, version)
    assert "can be neither run nor deployed nor listed" in page
    assert 'class="code-line here" id="line-4"' in page
    assert "/prove/" not in page  # the same text fails the same way


def test_while_it_is_proved_the_page_shows_the_checks_to_come_and_no_result(client, person):
    version = version_of(person, status="passed", declaration={"style": "Strategy", "parameters": []}, inspected_at=START)
    page = page_of(client, version)
    assert 'id="proving"' in page
    assert 'data-check="poison"' in page
    assert "/prove/" not in page
    part = client.get(f"/strategies/versions/{version.public_id}/?part=state", headers={"x-requested-with": "fetch"})
    assert b"<html" not in part.content
    assert b'id="proving"' in part.content


def test_a_proof_is_of_its_owner_alone(client, person):
    version = refused(person)
    other = Client()
    other.force_login(UserFactory())
    assert other.get(f"/strategies/versions/{version.public_id}/").status_code == 404
    assert other.post(f"/strategies/versions/{version.public_id}/prove/").status_code == 404
    version.inspection.refresh_from_db()
    assert version.inspection.again_at is None
    assert not channels.authorise_version(f"versions/{version.public_id}", UserFactory())
    assert channels.authorise_version(f"versions/{version.public_id}", person)


def test_another_proof_keeps_the_result_before_until_it_is_over(
    client, person, monkeypatch, django_capture_on_commit_callbacks
):
    version = refused(person, inspected_at=timezone.now() - timedelta(hours=1))
    asked: list[int] = []
    monkeypatch.setattr(tasks.inspect_version, "delay", asked.append)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(f"/strategies/versions/{version.public_id}/prove/")
        client.post(f"/strategies/versions/{version.public_id}/prove/")
    assert asked == [version.pk]  # the second one found it under way
    version = selectors.versions().get(pk=version.pk)
    assert not version.inspection.is_final
    assert "did not pass its proof" in version.obstacle
    assert selectors.waiting_for_proof(timezone.now() + timedelta(minutes=2)) == [version.pk]

    told: list[dict[str, Any]] = []
    monkeypatch.setattr("strategies.channels.publish", lambda channel, data, **_: told.append(data["version"]))

    def found(version: Version, declaration: Any, *, heard: Any) -> proofs.Proof:
        bars = market("wandering", 300, 3600)
        candidate = proofs.Candidate(lambda bars: (bars.close > 100).astype(float), length=300)
        return proofs.Proof((proofs.Asked("wandering", bars, prove(candidate.answer, bars, heard=heard_by(heard))),), 1)

    def heard_by(heard: Any) -> Any:
        return proofs.listening(heard, proofs.Progress("wandering", 0, 1))

    monkeypatch.setattr(proofs, "prove_version", found)
    with django_capture_on_commit_callbacks(execute=True):
        inspections.inspect(version_id=version.pk, at=timezone.now())
    version = selectors.versions().get(pk=version.pk)
    assert version.inspection.is_final
    assert version.inspection.proved is True
    shares = [one["progress"]["share"] for one in told if one["progress"]]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert told[-1] == {"status": "passed", "proved": True, "failed": "", "final": True, "progress": None}


def test_a_proof_is_not_asked_for_twice_within_a_minute(person):
    version = refused(person, inspected_at=START)
    with pytest.raises(TooEarly):
        inspections.inspect_again(version_id=version.pk, at=START + timedelta(seconds=59))
    assert inspections.inspect_again(version_id=version.pk, at=START + timedelta(seconds=61)).again_at is not None


def test_every_check_has_a_title_and_a_way_to_mend_it():
    assert set(TITLES) == set(MENDING) == set(CHECKS)


def test_a_sentence_of_a_proof_is_said_in_french_with_its_numbers():
    with override("fr"):
        said = proof_wording.said(REFUSED["summary"])
        assert said.startswith("La barre 412")
        assert "ligne 17" in said
        assert proof_wording.said("Passed 1,243 checks on 1,500 bars.").count("\u00a0") == 2
        assert proof_wording.said("KeyError: 'x'") == "KeyError: 'x'"  # what a user's code says is said as it is
