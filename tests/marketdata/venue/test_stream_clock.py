"""How the stream takes the clock of a venue that runs faster than ours, until it has caught up."""

from __future__ import annotations

import pytest

from marketdata.stream.connection import Clock
from marketdata.venue.market import CatchingUp
from tests.marketdata.venue.clients import START
from tests.marketdata.venue.clients import Clock as Wall


def test_the_estimate_slows_down_with_the_venue():
    wall = Wall(START + 0.0)
    venue = CatchingUp(START - 3600.0, 10.0, wall)
    clock = Clock(10.0, wall)
    clock.set(venue.now())
    for _ in range(3):
        wall.at += 20
        assert clock.now() == pytest.approx(venue.now())
        clock.set(venue.now())
    wall.at += 1000  # it catches up meanwhile
    clock.set(venue.now())
    wall.at += 20
    clock.set(venue.now())
    wall.at += 20
    assert clock.now() == pytest.approx(venue.now())


def test_a_venue_that_was_set_back_is_taken_to_run_at_its_speed_again():
    wall = Wall(START + 0.0)
    clock = Clock(60.0, wall)
    clock.set(START - 100.0)
    wall.at += 30
    clock.set(START - 5000.0)
    wall.at += 5
    assert clock.now() == START - 5000 + 300


def test_a_live_venue_runs_as_we_do():
    wall = Wall(START + 0.0)
    clock = Clock(1.0, wall)
    clock.set(START + 0.3)
    wall.at += 20
    clock.set(wall.at + 1.3)  # a slow answer is no faster clock
    wall.at += 10
    assert clock.now() == pytest.approx(wall.at + 1.3)
