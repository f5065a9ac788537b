"""Runs: asked for, done once, stored with their bars, done again with the same hash."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import OperationalError, connections
from hypothesis import given
from hypothesis import strategies as st

from clusterx.errors import DomainError
from marketdata.bars import Bars
from marketdata.store import write_bars
from strategies import channels, selectors
from strategies.arrays import bars_hash, pack, pack_bars, unpack, unpack_bars
from strategies.backtest import Decision, backtest, library_decision
from strategies.conditions import Conditions
from strategies.contract import Signals, validate
from strategies.engine import simulate
from strategies.errors import RunNotDone, TooMany
from strategies.library import find
from strategies.metrics.result import Metrics
from strategies.models import Run, Snapshot
from strategies.quality import frozen, holes
from strategies.selectors import count_trials
from strategies.services import execution
from strategies.services.appraisals import appraise_run
from strategies.services.execution import execute_run
from strategies.services.runs import cancel_run, request_run, rerun, share_run, unshare_run
from strategies.services.snapshots import bars_of
from strategies.services.subjects import Subject
from strategies.services.trials import record_trials
from tests.factories import START, UserFactory
from tests.strategies.market import FIRST, HOUR, asked_for, done, listed, walk

pytestmark = pytest.mark.django_db


# -- a run that goes well ---------------------------------------------------------------------------------------------


def test_a_run_is_what_the_engine_says_and_keeps_all_that_it_is_made_of(person):
    run = done(person, listed())
    assert (run.status, run.stage, run.progress, run.reason) == ("done", "over", 1.0, "")
    bars = walk()
    strategy = find("sma-cross")
    conditions = Conditions.from_json(run.conditions)
    answer = strategy.signals(bars, validate(strategy, {"fast": 5, "slow": 20}))
    result = simulate(
        bars, answer, market=conditions.markets, costs=conditions.costs, rules=conditions.rules, cash=conditions.cash
    )
    assert run.orders_hash == result.orders_hash
    assert len(result.trades) > 5
    kept = selectors.series(run)
    np.testing.assert_array_equal(kept.equity, result.equity)
    np.testing.assert_array_equal(kept.position, result.position)
    np.testing.assert_allclose(kept.benchmark, 10_000 * bars.close / bars.open[0])
    for table, stored in ((result.trades, selectors.trades(run)), (result.orders, selectors.orders(run))):
        assert table.dtype.names == stored.dtype.names
        for name in table.dtype.names or ():
            np.testing.assert_array_equal(table[name], stored[name])
    metrics = Metrics.from_json(run.metrics)
    assert metrics.final_equity == run.headline["final_equity"] == result.final_equity
    assert metrics.trades == len(result.trades) - 1 or metrics.trades == len(result.trades)
    assert run.assumptions["data"][0]["bars"] == 300
    assert run.assumptions["costs"]["taker"] == 0.001
    assert len(run.code_hash) == 64
    names = [variant["name"] for variant in selectors.sensitivity(run)]
    assert names == ["as-asked", "costs-doubled", "one-bar-later"]
    asked, doubled, _ = (variant["numbers"]["final_equity"] for variant in selectors.sensitivity(run))
    assert asked == result.final_equity
    assert doubled < asked


def test_fills_with_the_benefit_of_the_doubt_are_also_shown_without_it(person):
    run = done(person, listed(), rules={"fill": "close", "intrabar": "optimistic"})
    assert "pessimistic-fills" in [variant["name"] for variant in selectors.sensitivity(run)]


@pytest.mark.parametrize("strategy", ["grid", "dca", "bollinger-reversion"])
def test_event_driven_strategies_and_those_with_stops_run_too(person, strategy):
    run = done(person, listed(), strategy=strategy)
    assert run.status == "done", run.message
    assert len(selectors.orders(run)) > 0


def test_a_pair_runs_on_the_times_of_both(person):
    first = walk(400)
    other = replace(walk(400, seed=2), close=first.close * 1.01, open=first.open * 1.01, high=first.high * 1.02, low=first.low)
    one, two = listed(first), listed(other[10:])
    run = done(person, one, strategy="pairs", instruments=[one.ref, two.ref], parameters={"window": 20})
    assert run.status == "done", run.message
    assert run.bars == 400
    assert [leg.snapshot.bars for leg in run.legs.select_related("snapshot")] == [400, 390]


def bars_with_both() -> tuple[Bars, Bars]:
    """Hourly bars that all hold a stop and a target, and 5m bars in which the target always comes first."""
    n = 40
    time = FIRST + np.arange(n, dtype=np.int64) * HOUR
    flat = np.full(n, 100.0)
    hourly = Bars(time, flat, flat + 5, flat - 5, flat, np.full(n, 1200.0))
    step = np.arange(12 * n)
    place = step % 12
    high, low = np.where(place == 2, 105.0, 100.0), np.where(place == 8, 95.0, 100.0)
    same = np.full(12 * n, 100.0)
    return hourly, Bars(FIRST + step.astype(np.int64) * 300, same, high, low, same, np.full(12 * n, 100.0))


def test_finer_bars_say_what_came_first_within_a_bar(person, monkeypatch):
    hourly, finer = bars_with_both()

    def decide(bars, conditions):
        n = len(bars[0])
        exposure = (np.arange(n) % 2 == 0).astype(np.float64)
        return Decision(signals=Signals(exposure, stop=np.full(n, 96.0), take_profit=np.full(n, 104.0)))

    monkeypatch.setattr(Subject, "decide", lambda self, parameters, timeframe: decide)
    instrument = listed(hourly)
    without = done(person, instrument)
    assert without.headline["total_return"] < 0
    write_bars(instrument.pk, "5m", finer, source=4)
    within = done(person, instrument)
    assert within.headline["total_return"] > 0
    assert within.legs.get().finer.timeframe == "5m"
    assert done(person, instrument, detail=False).orders_hash == without.orders_hash
    # Again with what was kept, whatever is stored now.
    changed = replace(finer, high=finer.high.copy(), low=np.where(np.arange(len(finer.low)) % 12 == 1, 95.0, finer.low))
    write_bars(instrument.pk, "5m", changed, source=4)
    again = rerun(run_id=within.pk, owner=person, at=START)
    assert execute_run(run_id=again.pk, at=START).reproduced
    first = rerun(run_id=without.pk, owner=person, at=START)
    assert execute_run(run_id=first.pk, at=START).reproduced
    assert appraise_run(run_id=within.pk, at=START).reason == ""


def test_finer_bars_are_not_asked_for_where_nothing_waits_within_a_bar(person):
    hourly, finer = bars_with_both()
    instrument = listed(hourly)
    write_bars(instrument.pk, "5m", finer, source=4)
    assert done(person, instrument).legs.get().finer is None


# -- once, and again ----------------------------------------------------------------------------------------------------


def test_doing_a_run_twice_does_it_once(person):
    run = done(person, listed())
    before = Run.objects.values().get(pk=run.pk)
    execute_run(run_id=run.pk, at=START + timedelta(hours=1))
    assert Run.objects.values().get(pk=run.pk) == before


def test_two_workers_do_not_do_the_same_run(person):
    run = request_run(owner=person, asked=asked_for(listed()), at=START)
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("select pg_advisory_lock(%s, %s)", [execution.LOCKS, run.pk])
            assert execute_run(run_id=run.pk, at=START) is None
            run.refresh_from_db()
            assert run.status == "queued"
            cursor.execute("select pg_advisory_unlock(%s, %s)", [execution.LOCKS, run.pk])
    finally:
        other.close()
    assert execute_run(run_id=run.pk, at=START).status == "done"


def test_a_run_whose_worker_died_begins_anew(person):
    run = request_run(owner=person, asked=asked_for(listed()), at=START)
    Run.objects.filter(pk=run.pk).update(status="running", started_at=START)
    assert selectors.unfinished_before(START + timedelta(seconds=1)) == [run.pk]
    assert execute_run(run_id=run.pk, at=START).status == "done"
    assert selectors.unfinished_before(START + timedelta(days=1)) == []


def test_a_database_that_is_away_is_not_the_runs_fault(person, monkeypatch):
    run = request_run(owner=person, asked=asked_for(listed()), at=START)

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(execution, "take_snapshot", away)
        with pytest.raises(OperationalError):
            execute_run(run_id=run.pk, at=START)
    assert execute_run(run_id=run.pk, at=START).status == "done"


def test_a_bug_of_ours_is_a_failed_run_and_never_a_stuck_one(person, monkeypatch):
    run = request_run(owner=person, asked=asked_for(listed()), at=START)

    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("nobody thought of it")

    monkeypatch.setattr(execution, "take_snapshot", broken)
    failed = execute_run(run_id=run.pk, at=START)
    assert (failed.status, failed.reason) == ("failed", "internal")
    assert "nobody thought" not in failed.message


def test_a_repetition_comes_to_the_same_hash_even_when_candles_were_revised(person):
    instrument = listed()
    run = done(person, instrument)
    write_bars(instrument.pk, "1h", walk(seed=9), source=4)
    again = execute_run(run_id=rerun(run_id=run.pk, owner=person, at=START).pk, at=START)
    assert (again.status, again.reproduced, again.difference) == ("done", True, "")
    assert again.orders_hash == run.orders_hash
    assert done(person, instrument).orders_hash != run.orders_hash


def test_a_repetition_that_comes_out_otherwise_says_how(person, monkeypatch):
    run = done(person, listed())
    again = rerun(run_id=run.pk, owner=person, at=START)
    changed = Conditions.from_json(run.conditions)
    Run.objects.filter(pk=again.pk).update(conditions=replace(changed, cash=5_000.0).to_json())
    again = execute_run(run_id=again.pk, at=START)
    assert again.reproduced is False
    assert again.difference.startswith("fill 1 was ")


def test_a_snapshot_whose_bytes_were_changed_is_not_believed(person):
    run = done(person, listed())
    again = rerun(run_id=run.pk, owner=person, at=START)
    Snapshot.objects.update(payload=pack_bars(walk(seed=3)))
    again = execute_run(run_id=again.pk, at=START)
    assert (again.status, again.reason) == ("failed", "internal")


def test_the_same_bars_are_kept_once(person):
    instrument = listed()
    one, two = done(person, instrument), done(UserFactory(), instrument)
    assert one.legs.get().snapshot_id == two.legs.get().snapshot_id
    assert Snapshot.objects.count() == 1
    kept = bars_of(Snapshot.objects.get())
    assert all(np.array_equal(a, b) for a, b in zip(kept.columns, walk().columns, strict=True))


# -- ended and shared ---------------------------------------------------------------------------------------------------


def test_a_cancelled_run_is_not_done(person):
    run = request_run(owner=person, asked=asked_for(listed()), at=START)
    assert cancel_run(run_id=run.pk, at=START).status == "cancelled"
    assert execute_run(run_id=run.pk, at=START).status == "cancelled"
    assert cancel_run(run_id=run.pk, at=START + timedelta(days=1)).finished_at == START
    with pytest.raises(RunNotDone):
        selectors.series(run)


def test_a_run_that_is_cancelled_meanwhile_stops_at_the_next_stage(person, monkeypatch):
    run = request_run(owner=person, asked=asked_for(listed()), at=START)
    taken = execution.take_snapshot

    def cancelled_meanwhile(**asked: Any) -> Any:
        cancel_run(run_id=run.pk, at=START)
        return taken(**asked)

    monkeypatch.setattr(execution, "take_snapshot", cancelled_meanwhile)
    stopped = execute_run(run_id=run.pk, at=START)
    assert (stopped.status, stopped.metrics, hasattr(stopped, "result")) == ("cancelled", None, False)


def test_a_run_is_shared_by_a_secret_that_can_be_taken_back(person):
    run = done(person, listed())
    token = share_run(run_id=run.pk, at=START).share_token
    assert share_run(run_id=run.pk, at=START).share_token == token
    assert len(token) >= 32
    assert selectors.shared_run(token) == run
    unshare_run(run_id=run.pk)
    with pytest.raises(Run.DoesNotExist):
        selectors.shared_run(token)


def test_a_run_without_a_result_is_neither_shared_nor_repeated(person):
    run = request_run(owner=person, asked=asked_for(listed()), at=START)
    with pytest.raises(RunNotDone):
        share_run(run_id=run.pk, at=START)
    with pytest.raises(RunNotDone):
        rerun(run_id=run.pk, owner=person, at=START)


def test_at_most_twenty_runs_of_a_person_wait(person):
    instrument = listed()
    for _ in range(20):
        request_run(owner=person, asked=asked_for(instrument), at=START)
    with pytest.raises(TooMany):
        request_run(owner=person, asked=asked_for(instrument), at=START)
    request_run(owner=UserFactory(), asked=asked_for(instrument), at=START)


def test_a_run_is_queued_once_it_is_committed(person, django_capture_on_commit_callbacks, monkeypatch):
    from strategies import tasks

    queued: list[int] = []
    monkeypatch.setattr(tasks.run_backtest, "delay", queued.append)
    with django_capture_on_commit_callbacks(execute=True):
        run = request_run(owner=person, asked=asked_for(listed()), at=START)
        assert queued == []
    assert queued == [run.pk]


def test_who_listens_hears_every_stage(person, django_capture_on_commit_callbacks, monkeypatch):
    from strategies import channels

    heard: list[tuple[str, dict]] = []
    monkeypatch.setattr(channels, "publish", lambda channel, data, **_: heard.append((channel, data["run"])))
    run = request_run(owner=person, asked=asked_for(listed()), at=START)
    with django_capture_on_commit_callbacks(execute=True):
        execute_run(run_id=run.pk, at=START)
    assert {channel for channel, _ in heard} == {f"runs/{run.public_id}"}
    assert heard[-1][1]["status"] == "done"
    assert heard[-1][1]["bars_per_second"] > 0
    data, seq = channels.snapshot(f"runs/{run.public_id}", person)
    assert (data["run"]["status"], seq) == ("done", None)
    assert channels.authorise(f"runs/{run.public_id}", person)
    for stranger in (UserFactory(), type("Nobody", (), {"is_authenticated": False})()):
        assert not channels.authorise(f"runs/{run.public_id}", stranger)
    assert not channels.authorise("runs/nonsense", person)


# -- trials ---------------------------------------------------------------------------------------------------------------


def test_every_run_and_every_trial_of_a_search_counts_for_its_strategy_alone(person):
    instrument = listed()
    run = done(person, instrument)
    done(person, instrument, parameters={"fast": 6, "slow": 20})
    done(UserFactory(), instrument)
    done(person, instrument, strategy="macd")
    execute_run(run_id=rerun(run_id=run.pk, owner=person, at=START).pk, at=START)
    record_trials(owner=person, subject="sma-cross", what="grid", sharpes=[0.1, 0.2, float("nan")], at=START)
    assert count_trials(person, run) == count_trials(person, "sma-cross") == 2 + 3
    assert count_trials(person, "macd") == 1


# -- bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"strategy": "no-such"}, "strategy"),
        ({"strategy": ""}, "strategy"),
        ({"parameters": {"quick": 3}}, "parameters.quick"),
        ({"parameters": {"fast": "many"}}, "parameters.fast"),
        ({"parameters": {"fast": 50, "slow": 20}}, "parameters.fast"),
        ({"timeframe": "7m"}, "timeframe"),
        ({"instruments": []}, "instruments"),
        ({"instruments": ["no:SUCH"]}, "instruments"),
        ({"instruments": ["a:B", "c:D"]}, "instruments"),
        ({"start": datetime(2025, 1, 1, tzinfo=UTC)}, "end"),
        ({"start": datetime(2024, 1, 1)}, "start"),
        ({"cash": 0.0}, "cash"),
        ({"cash": float("nan")}, "cash"),
        ({"cash": 1e300}, "cash"),
        ({"costs": {"fee": -1}}, "costs.fee"),
        ({"costs": {"fee": "a lot"}}, "costs.fee"),
        ({"costs": {"tax": 1}}, "costs.tax"),
        ({"costs": {"slippage": []}}, "costs.slippage"),
        ({"costs": {"slippage": {"kind": "magic", "size": 1}}}, "costs.slippage"),
        ({"rules": {"leverage": 1e9}}, "rules.leverage"),
        ({"rules": {"touch": "yes"}}, "rules.touch"),
        ({"rules": {"fill": ["close"]}}, "rules"),
        ({"benchmark": "gold"}, "benchmark"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_makes_no_sense_is_refused_and_the_field_named(person, change, field):
    instrument = listed()
    with pytest.raises(DomainError) as error:
        request_run(owner=person, asked=asked_for(instrument, **change), at=START)
    assert error.value.facts["field"].startswith(field), error.value.facts
    assert Run.objects.count() == 0


@pytest.mark.parametrize("n", [0, 1])
def test_no_bars_or_a_single_one_are_a_failed_run_with_a_clear_message(person, n):
    run = done(person, listed(walk()[:n]))
    assert (run.status, run.reason) == ("failed", "no-bars")
    assert f"{n} bars of 1h" in run.message


def test_two_bars_are_enough(person):
    run = done(person, listed(walk()[:2]))
    assert run.status == "done", run.message
    assert "no-trades" in run.assumptions["warnings"]


def test_holes_and_silent_and_frozen_bars_are_counted_and_said(person):
    bars = walk()
    volume = bars.volume.copy()
    volume[10:15] = 0
    prices = [column.copy() for column in (bars.open, bars.high, bars.low, bars.close)]
    for column in prices:
        column[10:15] = bars.close[9]
    bars = Bars(bars.time, *prices, volume)
    keep = np.r_[0:100, 110:300]
    run = done(person, listed(Bars(*(column[keep] for column in bars.columns))))
    data = run.assumptions["data"][0]
    assert (run.status, data["holes"], data["frozen"], data["silent"]) == ("done", 10, 5, 5)
    assert (data["time_zone"], data["adjusted"]) == ("UTC", "none")
    assert {"missing-bars", "frozen-bars"} <= set(run.assumptions["warnings"])
    assert "silent-bars" in run.assumptions["warnings"]


def test_what_is_sold_short_for_nothing_is_said(person):
    parameters = {"fast": 5, "slow": 20, "direction": "long-short"}
    instrument = listed()
    free = done(person, instrument, parameters=parameters)
    assert "shorts-for-free" in free.assumptions["warnings"]
    paid = done(person, instrument, parameters=parameters, costs={"fee": 0.001, "slippage": 0.0005, "borrow": 0.1})
    assert "shorts-for-free" not in paid.assumptions["warnings"]
    assert paid.metrics["numbers"]["final_equity"] < free.metrics["numbers"]["final_equity"]
    assert "shorts-for-free" not in done(person, listed(kind="perpetual"), parameters=parameters).assumptions["warnings"]


def test_a_recording_says_that_its_dates_are_not_those_of_what_happened(person):
    recorded = done(person, listed(venue__code="past", venue__mode="recorded")).assumptions
    assert (recorded["data"][0]["recorded"], "recorded-times" in recorded["warnings"]) == (True, True)
    live = done(person, listed(venue__code="now", venue__mode="live")).assumptions
    assert (live["data"][0]["recorded"], "recorded-times" in live["warnings"]) == (False, False)


def test_a_market_without_any_volume_trades_all_the_same_and_says_so(person):
    bars = walk()
    run = done(person, listed(replace(bars, volume=np.zeros(len(bars)))))
    assert run.headline["trades"] > 0
    assert "volume-unknown" in run.assumptions["warnings"]


def outcome_of(bars: Bars) -> Any:
    strategy = find("sma-cross")
    return backtest([bars], library_decision(strategy, validate(strategy, {"fast": 2, "slow": 5})), Conditions(), seconds=HOUR)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("close", np.nan, "bar 7 .*a price is not a number"),
        ("open", np.inf, "bar 7 .*a price is not a number"),
        ("low", 0.0, "bar 7 .*a price is not above 0"),
        ("high", 1.0, "bar 7 .*do not hold open and close"),
        ("volume", -1.0, "bar 7 .*volume is below 0"),
    ],
)
def test_bars_that_no_market_made_are_refused_by_their_number(column, value, said):
    bars = walk(50)
    values = getattr(bars, column).copy()
    values[7] = value
    with pytest.raises(DomainError, match=said):
        outcome_of(replace(bars, **{column: values}))


def test_bars_out_of_order_are_refused():
    bars = walk(50)
    time = bars.time.copy()
    time[7] = time[6]
    with pytest.raises(DomainError, match="bar 7 does not come after"):
        outcome_of(replace(bars, time=time))


# -- packed tables and counts ---------------------------------------------------------------------------------------------


@given(st.integers(0, 40), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_what_is_packed_comes_out_the_same(n, k, seed):
    rng = np.random.default_rng(seed)
    table = np.zeros(n, [("a", "i8"), ("b", "f8"), ("c", "?")])
    table["a"], table["b"], table["c"] = rng.integers(-9, 9, n), rng.normal(size=n), rng.random(n) > 0.5
    given_tables = {"wide": rng.normal(size=(n, k)), "rows": table, "small": rng.integers(0, 5, n).astype("i1")}
    back = unpack(pack(given_tables))
    assert list(back) == list(given_tables)
    for name, array in given_tables.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        assert back[name].tobytes() == array.tobytes()


def test_the_hash_of_bars_is_of_their_values_and_nothing_else():
    bars = walk(100)
    assert bars_hash(unpack_bars(pack_bars(bars))) == bars_hash(bars)
    assert bars_hash(bars[:99]) != bars_hash(bars)
    other = bars.close.copy()
    other[50] = np.nextafter(other[50], np.inf)
    assert bars_hash(replace(bars, close=other)) != bars_hash(bars)
    strided = Bars(*(np.repeat(column, 2)[::2] for column in bars.columns))
    assert bars_hash(strided) == bars_hash(bars)


def test_a_venue_that_closes_has_no_holes_at_night_and_on_holidays():
    days = [datetime(2024, 1, day, tzinfo=UTC) for day in (2, 3, 4, 5, 8, 9, 10, 11, 12, 16, 18)]
    time = np.array([int(day.timestamp()) for day in days], dtype=np.int64)
    ones = np.ones(len(time))
    daily = Bars(time, ones, ones, ones, ones, ones)
    assert holes(daily, 86_400, "XNYS") == 1  # the 17th; the 15th was Martin Luther King day
    assert holes(daily, 86_400, "24/7") == 6
    assert holes(daily, 86_400, "exchange") == 0  # of a file: whose holidays they are is not known
    gone = Bars(*(np.delete(column, slice(2, 7)) for column in daily.columns))  # the 4th to the 10th
    assert holes(gone, 86_400, "exchange") == 5
    hours = np.array([FIRST, FIRST + HOUR, FIRST + 3 * HOUR, FIRST + 26 * HOUR], dtype=np.int64)
    ones = np.ones(4)
    assert holes(Bars(hours, ones, ones, ones, ones, ones), HOUR, "XNYS") == 1
    assert frozen(Bars(hours, ones, ones, ones, ones, ones * 0)) == 3


def test_thinning_a_curve_keeps_its_highest_and_lowest_points():
    values = np.random.default_rng(1).normal(size=100_000)
    at = selectors.kept(values, 500)
    assert len(at) <= 502
    assert {0, len(values) - 1, int(values.argmax()), int(values.argmin())} <= set(at.tolist())
    assert (np.diff(at) > 0).all()
    assert selectors.kept(values[:100], 500).tolist() == list(range(100))


def test_a_list_of_runs_costs_as_many_queries_for_four_as_for_one(person, django_assert_num_queries):
    from strategies.api.serializers import RunOutput

    instrument = listed()
    for count in (1, 4):
        while Run.objects.count() < count:
            done(person, instrument)
        with django_assert_num_queries(2):
            assert len(RunOutput(selectors.runs_of(person), many=True).data) == count


def test_telling_how_far_a_run_is_takes_one_query(person, django_assert_num_queries, monkeypatch):
    run = done(person, listed())
    told: list[dict[str, object]] = []
    monkeypatch.setattr("strategies.channels.publish", lambda channel, data, **_: told.append(data["run"]))
    with django_assert_num_queries(1):
        channels.publish_run(run.pk)
    assert told[0]["status"] == "done"
