"""Long work that was left: found again by who asked for it, and by nobody else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils import timezone

from clusterx.work import SHOWN_FOR, work_of
from strategies.models import Run
from strategies.services.runs import cancel_run, request_run
from tests.factories import START, UserFactory
from tests.strategies.market import asked_for, listed
from tests.strategies.test_studies import study_of

pytestmark = pytest.mark.django_db


def test_what_runs_is_found_by_its_owner_alone_in_two_queries(person, django_assert_num_queries):
    instrument = listed()
    run = request_run(owner=person, asked=asked_for(instrument), at=START)
    study = study_of(person, instrument=instrument.ref)
    with django_assert_num_queries(2):
        found = work_of(person, START)
    assert {item.key for item in found} == {f"run:{run.public_id}", f"study:{study.public_id}"}
    assert {(item.state, item.market, item.timeframe) for item in found} == {("running", instrument.symbol, run.timeframe)}
    assert work_of(UserFactory(), START) == []


def test_nobody_who_is_not_signed_in_has_work(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert work_of(AnonymousUser(), START) == []


@pytest.mark.parametrize("state", ["done", "failed"])
def test_what_is_over_is_shown_for_an_hour(person, state):
    run = request_run(owner=person, asked=asked_for(listed()), at=START)
    Run.objects.filter(pk=run.pk).update(status=state, finished_at=START)
    assert [item.state for item in work_of(person, START + SHOWN_FOR)] == [state]
    assert work_of(person, START + SHOWN_FOR + timedelta(seconds=1)) == []


def test_what_was_cancelled_is_not_waited_for(person):
    run = request_run(owner=person, asked=asked_for(listed()), at=START)
    cancel_run(run_id=run.pk, at=START)
    assert work_of(person, START) == []


def test_the_tray_shows_what_runs_with_its_progress_and_is_kept_nowhere(client, person):
    run = request_run(owner=person, asked=asked_for(listed()), at=timezone.now())
    answer = client.get(reverse("work"))
    assert "no-store" in answer["Cache-Control"]
    text = answer.content.decode()
    assert f'data-key="run:{run.public_id}" data-state="running"' in text
    assert "<progress" in text
    cancel_run(run_id=run.pk, at=timezone.now())
    assert client.get(reverse("work")).content.decode().strip() == ""
    client.force_login(UserFactory())
    assert client.get(reverse("work")).content.decode().strip() == ""
    client.logout()
    assert client.get(reverse("work")).status_code == 302
    assert 'id="work"' not in client.get("/").content.decode()
