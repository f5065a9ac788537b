"""The stream of a study through the whole socket: to the person whose it is, and to nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from clusterx.accounts.services import make_token
from strategies.models import Study
from strategies.services.studies import cancel_study
from strategies.services.trying import begin_study
from tests.clusterx.test_live import Opener, opened  # noqa: F401  (a fixture)
from tests.factories import START, UserFactory
from tests.strategies.test_studies import study_of

pytestmark = pytest.mark.django_db(transaction=True)


def begun() -> tuple[Study, str, str]:
    """A study that runs, a token of its owner and one of somebody else."""
    owner, other = UserFactory(), UserFactory()
    study = study_of(owner)
    begin_study(study_id=study.pk, at=START)
    mine, theirs = (make_token(user=one, name="bot", scope="read", at=timezone.now())[1] for one in (owner, other))
    return study, mine, theirs


async def test_a_study_tells_its_owner_and_nobody_else(opened: Opener) -> None:  # noqa: F811
    study, mine, theirs = await sync_to_async(begun)()
    channel = f"studies/{study.public_id}"
    me, them, nobody = (
        await opened(authorization=f"Token {mine}"),
        await opened(authorization=f"Token {theirs}"),
        await opened(),
    )
    snapshot: dict[str, Any] = (await me.subscribe(channel))[-1]
    for stranger in (them, nobody):
        await stranger.say("subscribe", channel)
        refused = await stranger.error()
        assert channel in str(refused)
        assert "trials" not in str(refused)
    await sync_to_async(cancel_study)(study_id=study.pk, at=START)
    told = (await me.until(lambda one: one["t"] == "update" and one["d"]["study"]["status"] == "cancelled"))[-1]
    assert (snapshot["d"]["study"]["trials_total"], told["d"]["study"]["id"]) == (7, str(study.public_id))
    for stranger in (them, nobody):
        await stranger.say("ping", id=5)
        await stranger.until(lambda one: one["t"] == "pong")
        assert not [one for one in stranger.messages if one.get("ch") == channel]
