"""Pages of studies, through their addresses: asking, watching, reading, and whose they are."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import example, given
from hypothesis import strategies as drawn

from marketdata.bars import Bars
from strategies.contract import Parameter
from strategies.models import Study
from strategies.services.inspections import inspect
from strategies.services.strategies import create_strategy
from strategies.services.studies import cancel_study, pause_study
from strategies.services.trials import record_trials
from strategies.services.trying import begin_study
from strategies.views import studies_words as words
from strategies.views.studies_ranges import LEVELS, levels, suggested
from strategies.views.studies_report import edges_of
from tests.factories import START
from tests.strategies.market import done, listed, walk
from tests.strategies.test_api import Person
from tests.strategies.test_pages import text
from tests.strategies.test_studies import study_of, worked
from tests.strategies.test_versions import CODE

ASKED = ("strategy", "version", "instrument", "timeframe", "kind", "run", "again", "study", "like", "status", "page")
NEW = "/strategies/studies/new/"
COUNT = "/strategies/studies/count/"
HERE = "?strategy=sma-cross"

DATES = {"span": "dates", "start": "2024-08-11", "end": "2024-08-12"}
EVENT = """from strategies.contract import EventStrategy

class Placer(EventStrategy):
    name = "placer"
    label = "Placer"
    summary = "Places orders."

    def history(self, p):
        return 1

    def on_bar(self, ctx):
        return None
"""


def form_of(ref: str, **more: Any) -> dict[str, Any]:
    return {
        "instrument": ref, "timeframe": "1h", "span": "all", "cash": "5000", "costs": "custom", "fee": "0.2", "slippage": "0.1",
        "kind": "optimise", "method": "grid", "trials": "50", "objective": "return", "windows": "3", "mode": "rolling",
        "test_share": "25", "embargo": "0", "constraints": "", "patience": "", "seed": "7",
        "s-fast": "on", "from-fast": "3", "to-fast": "9", "step-fast": "3",
        "s-slow": "on", "from-slow": "6", "to-slow": "18", "step-slow": "6", "at-direction": "long",
    } | more  # fmt: skip


def shown_fields(page: Any) -> dict[str, Any]:
    """What a browser would send of the form as it is shown."""
    form = page.context["form"]
    return {
        name: form[name].value() for name in form.fields if form[name].value() is not None and form[name].value() is not False
    }


# -- asking -------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_form_asks_for_the_study_that_it_says(client, person):
    one = listed(walk(2400))
    answer = client.post(NEW + HERE, form_of(one.ref, constraints="2 * fast < slow"))
    study = Study.objects.get(owner=person)
    assert answer["Location"] == f"/strategies/studies/{study.public_id}/"
    assert (study.kind, study.method, study.objective, study.seed) == ("grid", "grid", "return", 7)
    assert {one["name"]: (one["minimum"], one["maximum"], one["step"]) for one in study.space["dimensions"]} == {
        "fast": (3, 9, 3), "slow": (6, 18, 6),
    }  # fmt: skip
    assert study.space["fixed"] == {"direction": "long"}
    assert study.space["constraints"] == ["2 * fast < slow"]
    assert study.budget == 3  # of nine: (3, 12), (3, 18), (6, 18)
    assert (study.conditions["cash"], study.conditions["costs"]["taker"]) == (5000, 0.002)
    assert study.plan is None


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["", "&kind=walk-forward"])
def test_one_click_on_the_form_as_it_stands_starts_a_study_that_comes_to_a_result(client, person, kind):
    listed(walk(300))
    longest = listed(walk(2400))
    page = client.get(NEW + HERE + kind)
    assert re.search(r"\d+ combinations", page.context["how_many"])
    answer = client.post(NEW + HERE, shown_fields(page))
    assert answer.status_code == 302, answer.context["form"].errors
    study = Study.objects.get(owner=person)
    assert study.instrument == longest
    assert 20 <= study.budget <= 200
    assert study.conditions["costs"]["taker"] == 0.001
    assert study.kind == ("walk-forward" if kind else "grid")
    assert worked(study).status == "done", study.message


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"from-fast": ""}, "from-fast", "Type a number."),
        ({"to-fast": "2"}, "to-fast", "more than where the range begins"),
        ({"to-fast": "900"}, "to-fast", "between 2 and 200"),
        ({"step-fast": "0"}, "step-fast", "greater than or equal to 1"),
        ({"at-direction": "up"}, "at-direction", "up is not one of the available choices"),
        ({"s-direction": "on"}, "of-direction", "Tick one at least."),
        ({"s-fast": "", "s-slow": "", "at-fast": "5", "at-slow": "9"}, "__all__", "Tick at least one parameter"),
        ({"constraints": "fast << slow"}, "constraints", "“fast << slow” cannot be read."),
        ({"constraints": "fast > slow"}, "constraints", "The rules leave no combination"),
        ({"constraints": "\n".join(["fast < slow"] * 21)}, "constraints", "At most 20 rules."),
        ({"method": "random", "trials": "20000"}, "trials", "10,000"),
        ({"method": "bayesian", "trials": ""}, "trials", "Type a number."),
        ({"method": "random", "trials": "9000", "kind": "walk-forward"}, "trials", "At most 3,333 trials in each of 3"),
        ({"from-fast": "2", "to-fast": "200", "step-fast": "1", "to-slow": "300", "step-slow": "1"}, "method", "10,000 combi"),
        ({"kind": "walk-forward", "windows": "51"}, "windows", "less than or equal to 50"),
        ({"kind": "walk-forward", "windows": "50"} | DATES, "windows", "too few"),
        ({"kind": "nothing"}, "kind", "nothing is not one of"),
        ({"seed": "-1"}, "seed", "greater than or equal to 0"),
        ({"patience": "0"}, "patience", "greater than or equal to 1"),
        ({"fee": "nan"}, "fee", "Enter a number."),
        ({"instrument": "no:ONE"}, "instrument", "not one of the available choices"),
        ({"span": "dates"}, "start", "Choose a date."),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_at_its_field_and_nothing_is_queued(client, wrong, field, said):
    answer = client.post(NEW + HERE, form_of(listed(walk(2400)).ref) | wrong)
    assert answer.status_code == 400
    assert said in " ".join(answer.context["form"].errors[field])
    assert said in text(answer)
    assert not Study.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("junk", ["\0", "1e999", "-1e300", "9" * 400, "NaN", "<b>", "٣", "{}", "fast <" * 80])
def test_no_text_in_any_field_breaks_the_page(client, junk):
    one = listed(walk(2400))
    fields = form_of(one.ref)
    for name in fields:
        answer = client.post(NEW + HERE, fields | {name: junk})
        assert answer.status_code in (302, 400), name
        assert client.post(COUNT + HERE, fields | {name: junk}).status_code == 200, name
        Study.objects.all().update(status="cancelled")
    for path in (NEW, "/strategies/studies/", "/strategies/runs/new/"):
        for name in ASKED:
            assert client.get(path, {name: junk}).status_code in (200, 400, 404), (path, name)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "given",
    [
        {"width": {"step": 1e-320}}, {"width": {"step": "a"}}, {"width": {"step": [1]}}, {"width": {"step": True}},
        {"width": {"minimum": "a"}}, {"window": {"levels": "x"}}, {"window": {"levels": 2.5}}, {"direction": {"choices": 5}},
        {"direction": {"choices": [[1]]}}, {"direction": {"choices": None}, "width": {"value": [1]}},
    ],
)  # fmt: skip
def test_ranges_over_rest_that_are_no_ranges_are_refused_by_name(given):
    body = {"strategy": "bollinger-reversion", "instrument": listed(walk(300)).ref, "timeframe": "1h", "kind": "grid"}
    answer = Person().post("/studies/", body | {"space": given})
    assert answer.status_code == 400
    assert any(name in answer.json()["detail"] for name in given)


@pytest.mark.django_db
def test_the_page_counts_what_the_study_will_try(client, person):
    one = listed(walk(2400))

    def told(**more: Any) -> dict[str, Any]:
        return client.post(COUNT + HERE, form_of(one.ref, **more)).json()

    assert told() == {"said": "7 combinations", "wrong": []}
    assert told(kind="walk-forward")["said"] == "7 combinations · 21 trials in 3 windows"
    assert told(method="random", trials="5")["said"] == "7 combinations · 5 trials"
    assert told(constraints="fast > slow")["wrong"] == ["The rules leave no combination of these ranges."]
    assert "fewer" not in told(**{"to-fast": "1"})["said"]
    assert told(**{"to-fast": "1"})["wrong"]
    client.post(NEW + HERE, form_of(one.ref, kind="walk-forward"))
    study = worked(Study.objects.get(owner=person))
    assert study.trials_done == 21, study.message


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "why"), [("grid", "places its own orders"), ("pairs", "several instruments at once")])
def test_what_cannot_be_searched_says_so_and_leads_to_a_backtest(client, name, why):
    one = listed(walk(300))
    assert "studies/new" not in text(client.get(f"/strategies/{name}/"))
    page = client.get(f"{NEW}?strategy={name}")
    assert page.status_code == 200
    assert why in text(page)
    assert f"/strategies/runs/new/?strategy={name}" in text(page)
    assert client.post(f"{NEW}?strategy={name}", form_of(one.ref)).status_code == 400
    assert client.post(f"{COUNT}?strategy={name}", form_of(one.ref)).status_code == 400


@pytest.mark.django_db
def test_a_version_of_mine_is_searched_once_it_was_read(client, person):
    market = listed(walk(2400))
    version = create_strategy(owner=person, name="Mine", source=CODE, at=START)
    here = f"{NEW}?version={version.public_id}"
    assert "still being read" in text(client.get(here))
    inspect(version_id=version.pk, at=START)
    page = client.get(here)
    assert [row["name"] for row in page.context["form"].rows] == ["window"]
    assert here in text(client.get(f"/strategies/mine/{version.strategy.public_id}/"))
    assert client.post(here, shown_fields(page) | {"instrument": market.ref}).status_code == 302
    study = worked(Study.objects.get(owner=person))
    assert study.version == version
    line = client.get(f"/strategies/studies/{study.public_id}/").context["data"]["maps"][0]
    assert line["x"]["values"] == sorted(line["x"]["values"])
    assert sum(line["count"][0]) == study.trials_done
    assert max(line["best"][0]) == study.best["score"]


@pytest.mark.django_db
def test_a_version_that_places_orders_or_does_not_run_says_so(client, person):
    listed(walk(300))
    placer = create_strategy(owner=person, name="Placer", source=EVENT, at=START)
    broken = create_strategy(owner=person, name="Broken", source="1 / 0", at=START)
    for version in (placer, broken):
        inspect(version_id=version.pk, at=START)
    assert "places its own orders" in text(client.get(f"{NEW}?version={placer.public_id}"))
    assert "This version does not run" in text(client.get(f"{NEW}?version={broken.public_id}"))
    assert "studies/new" not in text(client.get(f"/strategies/mine/{placer.strategy.public_id}/"))


@pytest.mark.django_db
def test_a_run_and_a_study_fill_the_form_in(client, person):
    market = listed(walk(2400))
    run = done(person, market)
    assert f"{NEW}?run={run.public_id}" in text(client.get(f"/strategies/runs/{run.public_id}/"))
    form = client.get(f"{NEW}?run={run.public_id}&kind=walk-forward").context["form"]
    assert (form["kind"].value(), form["instrument"].value(), form["fee"].value()) == ("walk-forward", market.ref, 0.1)
    assert form["from-fast"].value() <= 5 <= form["to-fast"].value()  # what the run had lies in what is searched
    study = study_of(
        person, instrument=market.ref, kind="walk-forward", method="random", budget=5, objective="recovery",
        plan={"windows": 4, "mode": "anchored"}, stopping={"patience": 9}, seed=5,
    )  # fmt: skip
    page = client.get(f"{NEW}?again={study.public_id}")
    answer = client.post(NEW + HERE, shown_fields(page))
    assert answer.status_code == 302, answer.context["form"].errors
    again = Study.objects.exclude(pk=study.pk).get()
    for name in ("kind", "method", "space", "objective", "budget", "seed", "instrument_id", "timeframe"):
        assert getattr(again, name) == getattr(study, name), name
    assert (again.plan["windows"], again.plan["mode"], again.stopping["patience"]) == (4, "anchored", 9)


@given(
    drawn.sampled_from(["int", "float"]), drawn.floats(-1e6, 1e6), drawn.floats(0, 1e6), drawn.floats(0, 1e6),
    drawn.sampled_from([None, 0.05, 1.0, 5.0]),
)  # fmt: skip
@example("float", 0.0, 0.0, 1.8e-8, 5.0)
def test_a_suggested_range_holds_its_centre_and_stays_within_what_is_declared(kind, centre, below, above, step):
    if kind == "int":
        centre, below, above, step = round(centre), round(below), round(above), step and max(1, round(step))
    parameter = Parameter("x", "X", kind, centre, minimum=centre - below, maximum=centre + above, step=step)
    first, last, by = suggested(parameter, centre)
    assert by > 0
    dust = 1e-5  # of a million: twelve digits are kept
    assert parameter.minimum - dust <= first <= centre + dust
    assert centre - dust <= last <= parameter.maximum + dust
    assert levels(first, last, by) <= 2 * LEVELS
    places = (centre - first) / by
    assert places == pytest.approx(round(places), abs=1e-3)
    if kind == "int":
        assert first == int(first)
        assert by == int(by)


# -- watching and reading -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_study_that_runs_can_be_paused_gone_on_with_and_cancelled_from_its_page(client, person):
    study = study_of(person)
    begin_study(study_id=study.pk, at=START)
    here = f"/strategies/studies/{study.public_id}/"
    page = text(client.get(here))
    assert "0 of 7 trials" in page
    assert client.post(here + "pause/")["Location"] == here
    assert "Go on" in text(client.get(here))
    client.post(here + "resume/")
    study.refresh_from_db()
    assert study.status == "running"
    assert client.post(here + "cancel/", {"back": "list"})["Location"] == "/strategies/studies/"
    study.refresh_from_db()
    assert study.status == "cancelled"
    assert "Cancelled after 0 trials" in text(client.get(here))
    assert client.post(here + "pause/", follow=True).status_code == 200
    assert client.get(here + "pause/").status_code == 405


@pytest.mark.django_db
def test_the_page_of_a_search_says_what_was_found_and_what_it_is_worth(client, person):
    study = worked(study_of(person, objective="return"))
    page = client.get(f"/strategies/studies/{study.public_id}/")
    said, data = text(page), page.context["data"]
    assert page.context["best"]["score"] in said
    for name, value in study.best["values"].items():
        assert f"p-{name}={value}" in said
    assert f"{study.evidence['pbo'] * 100:.1f}\u00a0%" in said
    assert f"{study.evidence['deflated'] * 100:.1f}\u00a0%" in said
    assert "7 of them in this study" in said
    assert data["maps"][0]["mean"] == study.report["heat_maps"][0]["mean"]
    assert data["points"]["equity"][-1] == pytest.approx(study.best["final_equity"], rel=1e-5)
    assert len(data["points"]["drawdown"]) == len(data["points"]["time"])
    assert "<script>" not in said
    assert " style=" not in said


@pytest.mark.django_db
def test_the_page_of_a_walk_forward_has_each_window_and_says_why_there_is_no_pbo(client, person):
    study = worked(study_of(person, kind="walk-forward", plan={"windows": 3}))
    page = client.get(f"/strategies/studies/{study.public_id}/")
    said = text(page)
    windows = page.context["windows"]
    assert [one["number"] for one in windows] == [1, 2, 3]
    for shown, stored in zip(windows, study.report["windows"], strict=True):
        assert shown["outside"]["text"] == words.percent_text(stored["test_return"])
        assert [one["text"] for one in shown["values"]] == [str(stored["values"][name]) for name in ("fast", "slow")]
    assert len(page.context["data"]["starts"]) == 3
    assert "judged on bars that nothing was chosen on" in said
    assert "Drift of parameters" in said
    assert page.context["drift"][0]["chosen"] == [str(one) for one in study.report["drift"][0]["chosen"]]


@pytest.mark.django_db
def test_too_few_days_for_evidence_says_why(client, person):
    study = worked(study_of(person, instrument=listed(walk(240)).ref))
    said = text(client.get(f"/strategies/studies/{study.public_id}/"))
    assert "10 days are too few: 16 are needed." in said


@pytest.mark.django_db
def test_best_values_go_into_the_run_form(client, person):
    study = worked(study_of(person))
    url = client.get(f"/strategies/studies/{study.public_id}/").context["best"]["backtest"]
    page = client.get(url)
    form = page.context["form"]
    assert {name: str(form[f"p-{name}"].value()) for name in study.best["values"]} == {
        name: str(value) for name, value in study.best["values"].items()
    }
    assert form["instrument"].value() == study.instrument.ref
    answer = client.post("/strategies/runs/new/?strategy=sma-cross", shown_fields(page))
    assert answer.status_code == 302, answer.context["form"].errors


@pytest.mark.django_db
def test_a_failed_study_says_why_and_shows_the_line(client, person):
    bad = create_strategy(
        owner=person,
        name="Bad",
        source=CODE.replace("        return np.where", "        1 / 0\n        return np.where"),
        at=START,
    )
    inspect(version_id=bad.pk, at=START)
    bad.refresh_from_db()
    space = {"window": {"minimum": 5, "maximum": 20, "step": 5}}
    study = worked(study_of(person, version=bad, space=space, constraints=()))
    page = text(client.get(f"/strategies/studies/{study.public_id}/"))
    assert "The strategy's code failed." in page
    assert "1 / 0" in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"kept": 0.9, "close": 1.0, "worst": 1.0, "neighbours": 4}, "plateau"),
        ({"kept": 0.6, "close": 0.2, "worst": 0.1, "neighbours": 4}, "slope"),
        ({"kept": -0.5, "close": 0.0, "worst": -2.0, "neighbours": 1}, "peak"),
        ({"kept": None, "close": None, "worst": -1.0, "neighbours": 3}, "no merit"),
        ({"kept": None, "close": None, "worst": None, "neighbours": 0}, "alone"),
    ],
)
def test_stability_is_said_in_a_word(told, word):
    assert words.stability_of(Study(objective="sharpe"), told)["word"] == word


# -- against holding, the edge of a range, and trials that came later ----------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("plan", [None, {"windows": 3}])
def test_a_study_is_held_against_buying_and_holding_the_same_bars(client, person, plan):
    market = walk(2400)
    more = {"kind": "walk-forward", "plan": plan} if plan else {}
    study = worked(study_of(person, instrument=listed(market).ref, objective="return", **more))
    page = client.get(f"/strategies/studies/{study.public_id}/")
    first = int(np.searchsorted(market.time, study.report["windows"][0]["test_from"])) if plan else 0
    gain = market.close[-1] / market.open[first] - 1
    told, points = page.context["held"], page.context["data"]["points"]
    assert (first > 0) is bool(plan)
    assert told["text"] == words.percent_text(gain)
    assert points["benchmark"][-1] == pytest.approx(study.conditions["cash"] * (1 + gain))
    assert len(points["benchmark"]) == len(points["time"])
    final = study.report["final_equity"] if plan else study.best["final_equity"]
    beaten = bool(final > study.conditions["cash"] * (1 + gain))
    assert told["beaten"] is beaten
    assert ("no better than holding" in text(page)) is not beaten


@pytest.mark.django_db
def test_what_holding_beats_says_so_beside_the_badge_and_is_not_called_good(client, person):
    rise = np.linspace(100, 1000, 2400)
    calm = walk(2400)
    steep = Bars(calm.time, rise, rise * 1.001, rise * 0.999, rise, calm.volume)
    study = worked(study_of(person, instrument=listed(steep).ref, objective="return"))
    page = client.get(f"/strategies/studies/{study.public_id}/")
    assert page.context["held"]["beaten"] is False
    assert "Buying and holding the same bars made +900.00" in text(page)
    assert page.context["evidence"]["kind"] != "good"


def test_a_likely_overfitting_takes_the_praise_from_the_badge_and_its_sentence():
    fine, likely = {"badge": "significant", "pbo": 0.2}, {"badge": "significant", "pbo": 0.72}
    assert words.badge_of(fine) == words.BADGES["significant"]
    word, kind, sentence = words.badge_of(likely)
    assert (word, kind) == ("significant", "warn")
    assert "Do not trust the best values" in sentence
    assert words.badge_of({"badge": "not-shown", "pbo": 0.9}) == words.BADGES["not-shown"]
    assert words.badge_of({}) is None


@pytest.mark.parametrize(
    ("fast", "most", "edge"),
    [(10, 40, True), (40, 40, True), (38, 40, True), (37, 40, False), (20, 40, False), (200, 200, False), (2, 200, False)],
)
def test_the_first_and_last_value_of_a_range_are_at_its_edge_unless_no_other_is_declared(fast, most, edge):
    space = {"name": "fast", "kind": "int", "minimum": min(fast, 10), "maximum": most, "step": 3}
    study = Study(library="sma-cross", objective="sharpe", best={"values": {"fast": fast}}, space={"dimensions": [space]})
    found = edges_of(study, words.parameters_of(study))
    assert bool(found) is edge
    told = {"kept": 0.9, "close": 1.0, "worst": 1.0, "neighbours": 4}
    said = words.stability_of(study, told, found)
    assert (said["word"] == "at the edge of the range") is edge
    assert ("search wider" in said["text"]) is edge
    assert ("it still works" in said["text"]) is not edge


@pytest.mark.django_db
def test_trials_that_came_later_count_against_a_study_that_is_looked_at_now(client, person):
    study = worked(study_of(person))
    here = f"/strategies/studies/{study.public_id}/"
    before = client.get(here).context["evidence"]["rows"]
    record_trials(owner=person, subject="sma-cross", what="grid", sharpes=[], count=5000, at=START)
    after = client.get(here).context["evidence"]["rows"]
    assert [before[3]["value"], after[3]["value"]] == ["7", "5,007"]
    assert after[0]["value"] != before[0]["value"]
    assert after[1] == before[1]


# -- the list -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_list_filters_and_costs_the_same_for_one_study_as_for_four(client, person):
    market = listed(walk(2400)).ref
    assert "Start the first one" in text(client.get("/strategies/studies/"))
    first = worked(study_of(person, instrument=market))
    with CaptureQueriesContext(connection) as one:
        client.get("/strategies/studies/")
    for strategy, space in (("macd", {"fast": {"minimum": 5, "maximum": 9}}), ("sma-cross", None), ("sma-cross", None)):
        more = {"space": space, "constraints": ()} if space else {}
        cancel_study(study_id=study_of(person, instrument=market, strategy=strategy, **more).pk, at=START)
    with CaptureQueriesContext(connection) as four:
        page = client.get("/strategies/studies/")
    assert len(four) == len(one)
    assert len(page.context["rows"]) == 4

    def shown(**filters: str) -> list[Study]:
        return [row["study"] for row in client.get("/strategies/studies/", filters).context["rows"]]

    assert len(shown(strategy="macd")) == 1
    assert shown(status="done") == [first]
    assert shown(strategy=str(person.pk)) == []
    assert "No study of yours is like that" in text(client.get("/strategies/studies/?strategy=nothing"))


@pytest.mark.django_db
def test_everything_of_somebody_elses_study_is_not_found(client, stranger, person):
    study = worked(study_of(person))
    waiting = study_of(person)
    pause_study(study_id=waiting.pk)
    for one in (study, waiting):
        here = f"/strategies/studies/{one.public_id}/"
        assert stranger.get(here).status_code == 404
        assert stranger.get(here, {"part": "state"}, headers={"x-requested-with": "fetch"}).status_code == 404
        for action in ("pause", "resume", "cancel"):
            assert stranger.post(f"{here}{action}/").status_code == 404
        assert stranger.get(f"{NEW}?again={one.public_id}").status_code == 404
        assert stranger.get(f"/strategies/runs/new/?study={one.public_id}").status_code == 404
        assert Client().get(here).status_code == 302
    waiting.refresh_from_db()
    assert waiting.status == "paused"
    assert stranger.get("/strategies/studies/").context["rows"] == []
    run = done(person, listed(walk(300)))
    version = create_strategy(owner=person, name="Mine", source=CODE, at=START)
    assert stranger.get(f"{NEW}?run={run.public_id}").status_code == 404
    assert stranger.get(f"{NEW}?version={version.public_id}").status_code == 404
