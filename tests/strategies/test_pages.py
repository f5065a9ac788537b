"""Pages of Strategies, through their addresses: runs and reports, one's own strategies, the editors."""

from __future__ import annotations

import io
import json
import re
import uuid
from html import unescape
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from strategies import selectors
from strategies.metrics.catalogue import CATALOGUE
from strategies.metrics.errors import REASONS
from strategies.models import Run, UserStrategy, Version
from strategies.services import inspections
from strategies.services.execution import execute_run
from strategies.services.runs import request_run, share_run
from strategies.services.strategies import create_strategy, save_version
from strategies.views import metric_words
from strategies.views.mine import changes
from strategies.views.words import duration, metric_text, written
from tests.factories import START, VenueFactory
from tests.strategies.market import asked_for, done, listed, walk

pytestmark = pytest.mark.django_db

SOURCE = "class A:\n    pass\n"


def text(response: Any) -> str:
    return unescape(response.content.decode())


def post_json(client: Client, path: str, **body: Any) -> Any:
    return client.post(path, json.dumps(body), content_type="application/json")


def waiting(person: Any, one: Any) -> Run:
    return request_run(owner=person, asked=asked_for(one), at=START)


def strategy_of(person: Any, name: str = "Mine", source: str = SOURCE) -> Version:
    return create_strategy(owner=person, name=name, source=source, at=START)


# -- asking for a run ---------------------------------------------------------------------------------------------------


def test_an_instrument_without_bars_is_named_with_the_reason(client, person):
    one = listed()
    page = client.get("/strategies/runs/new/", {"strategy": "sma-cross", "instrument": "nowhere:X-Y"})
    assert "There are no bars of nowhere:X-Y here" in text(page)
    page = client.get("/strategies/runs/new/", {"strategy": "sma-cross", "instrument": one.ref})
    assert "There are no bars of" not in text(page)


def form_of(ref: str, **more: str) -> dict[str, str]:
    return {
        "instrument": ref, "timeframe": "1h", "span": "all", "cash": "5000", "costs": "custom", "fee": "0.2", "slippage": "0.1",
        "benchmark": "none", "p-fast": "5", "p-slow": "20", "p-direction": "long",
    } | more  # fmt: skip


def test_the_form_asks_for_the_run_that_it_says(client, person):
    one = listed()
    page = client.get(f"/strategies/runs/new/?strategy=sma-cross&instrument={one.ref}")
    assert page.context["form"]["instrument"].value() == one.ref
    response = client.post("/strategies/runs/new/?strategy=sma-cross", form_of(one.ref))
    run = Run.objects.get(owner=person)
    assert response["Location"] == f"/strategies/runs/{run.public_id}/"
    assert run.values == {"fast": 5, "slow": 20, "direction": "long"}
    assert run.conditions["cash"] == 5000
    assert (run.conditions["costs"]["taker"], run.conditions["costs"]["slippage"]["size"]) == (0.002, 0.001)
    assert run.conditions["benchmark"] == "none"


@pytest.mark.parametrize(("costs", "taker"), [("exchange", 0.001), ("zero", 0.0)])
def test_presets_of_costs_are_what_their_names_say(client, person, costs, taker):
    client.post("/strategies/runs/new/?strategy=sma-cross", form_of(listed().ref, costs=costs))
    assert Run.objects.get(owner=person).conditions["costs"]["taker"] == taker


def test_a_span_is_counted_back_from_the_last_bar_there_is(client, person):
    one = listed()
    client.post(
        "/strategies/runs/new/?strategy=sma-cross", form_of(one.ref, span="dates", start="2024-08-11", end="2024-08-12")
    )
    dated = Run.objects.get(owner=person)
    assert (f"{dated.start:%Y-%m-%d %H}", f"{dated.end:%Y-%m-%d %H}") == ("2024-08-11 00", "2024-08-13 00")
    client.post("/strategies/runs/new/?strategy=sma-cross", form_of(one.ref, span="1m"))
    assert (Run.objects.filter(owner=person).latest("pk").end - Run.objects.latest("pk").start).days <= 30


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"p-fast": "30"}, "It must be less than “Slow average”."),
        ({"p-fast": "1000"}, "less than or equal to 200"),
        ({"span": "dates"}, "Choose a date."),
        ({"span": "dates", "start": "2024-08-12", "end": "2024-08-11"}, "It must be after the first date."),
        ({"fee": ""}, "Type a number; 0 is one."),
        ({"timeframe": "1m"}, "has 1h, 4h, 1d."),
        ({"cash": "-3"}, "greater than or equal to 1"),
    ],
)
def test_what_does_not_fit_is_told_at_its_field_and_nothing_is_queued(client, wrong, said):
    one = listed()
    one.base_timeframe = "1h"
    one.save()
    response = client.post("/strategies/runs/new/?strategy=sma-cross", form_of(one.ref) | wrong)
    assert response.status_code == 400
    assert said in text(response)
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"cash": "1e13"}, "less than or equal to 1,000,000,000,000."),
        ({"fee": "51"}, "less than or equal to 50."),
        ({"borrow": "2000"}, "less than or equal to 1,000."),
    ],
)
def test_limits_are_told_with_grouped_digits(client, wrong, said):
    response = client.post("/strategies/runs/new/?strategy=sma-cross", form_of(listed().ref) | wrong)
    assert said in text(response)


def test_a_span_without_bars_is_told_by_the_dates_that_were_typed(client, person):
    dates = {"span": "dates", "start": "1990-01-01", "end": "1990-02-01"}
    client.post("/strategies/runs/new/?strategy=sma-cross", form_of(listed().ref, **dates))
    run = execute_run(run_id=Run.objects.get(owner=person).pk, at=START)
    assert run is not None
    assert "from 1990-01-01 to 1990-02-01; a run takes 2 to 1,000,000" in run.message


def test_the_form_begins_with_the_market_of_the_longest_history(client):
    listed(walk(300))
    longest = listed(walk(900))
    listed(walk(600))
    form = client.get("/strategies/runs/new/?strategy=sma-cross").context["form"]
    assert (form["instrument"].value(), form["timeframe"].value()) == (longest.ref, "1h")


def test_a_pair_begins_with_two_instruments_of_one_venue_and_one_currency(client):
    replay = VenueFactory(code="replay", name="Replay")
    listed(walk(900), base="BTC")
    first = listed(walk(300), venue=replay, base="BTC")
    listed(walk(300), venue=replay, base="ETH", quote="EUR")
    second = listed(walk(300), venue=replay, base="ETH")

    def begins(**query: str) -> list[str]:
        form = client.get("/strategies/runs/new/", {"strategy": "pairs"} | query).context["form"]
        return [form["instrument"].value(), form["instrument-2"].value()]

    editor = client.get("/strategies/new/code/?template=pairs").context
    assert editor["pair"] == [first.ref, second.ref]
    assert begins() == [first.ref, second.ref]
    assert begins(instrument=second.ref) == [second.ref, first.ref]


def test_a_run_is_changed_from_the_values_it_had(client, person):
    run = done(person, listed())
    form = client.get(f"/strategies/runs/new/?like={run.public_id}").context["form"]
    assert form["p-fast"].value() == 5
    assert form["costs"].value() == "custom"
    assert form["fee"].value() == 0.1


# -- a run and its report ------------------------------------------------------------------------------------------------


def test_a_run_that_waits_shows_progress_and_its_channel(client, person):
    run = waiting(person, listed())
    page = text(client.get(f"/strategies/runs/{run.public_id}/"))
    assert 'id="progress"' in page
    assert str(run.public_id) in page
    client.post(f"/strategies/runs/{run.public_id}/cancel/")
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert "Nothing was kept of it." in text(client.get(f"/strategies/runs/{run.public_id}/"))


def test_the_report_shows_the_numbers_that_were_stored(client, person):
    run = done(person, listed())
    page = client.get(f"/strategies/runs/{run.public_id}/")
    shown = {one.key: one.value for one in page.context["headline"]}
    assert shown["total_return"] == f"{written(run.headline['total_return'] * 100, 2, signed=True)}\u00a0%"
    assert run.orders_hash[:12] in text(page)
    assert page.context["data"]["points"]["equity"][-1] == run.headline["final_equity"]
    assert len(page.context["data"]["trades"]["pnl"]) == len(page.context["data"]["trades"]["entry_bar"])
    told = " ".join(sentence for _title, sentences in page.context["assumptions"] for sentence in sentences)
    assert "300 bars of 1h" in told
    assert "fee of 0.1" in told


def test_every_number_of_the_catalogue_is_in_the_report(client, person):
    page = client.get(f"/strategies/runs/{done(person, listed()).public_id}/")
    assert [one.key for _group, figures in page.context["groups"] for one in figures] == [metric.key for metric in CATALOGUE]


def test_a_part_of_the_page_is_given_to_scripts_alone(client, person):
    run = done(person, listed())
    address = f"/strategies/runs/{run.public_id}/?part=state"
    assert "<html" not in text(client.get(address, headers={"x-requested-with": "fetch"}))
    assert "<html" in text(client.get(address))


def test_trades_come_sorted_and_in_pages(client, person):
    run = done(person, listed())
    address = f"/strategies/runs/{run.public_id}/trades/"
    by_result = selectors.trades(run)["pnl"].argsort(kind="stable")
    worst = client.get(address, {"sort": "pnl"}).context["rows"]
    assert [row["index"] for row in worst] == by_result[:25].tolist()
    best = client.get(address, {"sort": "-pnl"}).context["rows"]
    assert [row["index"] for row in best] == by_result[::-1][:25].tolist()
    unknown = client.get(address, {"sort": "'; drop", "page": "nine"}).context["rows"]
    assert [row["number"] for row in unknown] == list(range(1, len(unknown) + 1))
    assert client.get(address, {"page": "999"}).context["page"] == client.get(address).context["pages"]


def test_the_bars_of_a_window_are_those_the_run_saw(client, person):
    run = done(person, listed())
    answer = client.get(f"/strategies/runs/{run.public_id}/bars/", {"start": 290, "count": 50}).json()
    assert (answer["start"], answer["total"], len(answer["rows"])) == (290, 300, 10)
    assert answer["rows"][0][0] < answer["rows"][1][0]
    assert client.get(f"/strategies/runs/{run.public_id}/bars/", {"leg": 7}).status_code == 404


def test_a_repetition_says_that_the_same_orders_came_out(client, person):
    from strategies.services.execution import execute_run

    run = done(person, listed())
    response = client.post(f"/strategies/runs/{run.public_id}/again/")
    again = Run.objects.latest("pk")
    assert again.rerun_of == run
    execute_run(run_id=again.pk, at=START)
    page = text(client.get(response["Location"]))
    assert "the same orders, fill by fill" in page
    assert run.orders_hash[:12] in page


def test_a_failed_run_says_why_and_shows_the_line(client, person):
    version = strategy_of(person, source="one\ntwo\nthree\nfour\n")
    run = waiting(person, listed())
    Run.objects.filter(pk=run.pk).update(
        library="", version=version, status="failed", stage="over", reason="error", message="name 'x' is not defined", line=3
    )
    page = text(client.get(f"/strategies/runs/{run.public_id}/"))
    assert "The strategy's code failed." in page
    assert "name 'x' is not defined" in page
    assert re.search(r'code-line here"[^>]*><span class="code-number">3</span><code>three</code>', page)


@pytest.mark.parametrize("part", ["", "trades/", "bars/"])
def test_a_run_of_somebody_else_is_not_there(client, stranger, person, part):
    run = done(person, listed())
    assert client.get(f"/strategies/runs/{run.public_id}/{part}").status_code == 200
    assert stranger.get(f"/strategies/runs/{run.public_id}/{part}").status_code == 404
    assert Client().get(f"/strategies/runs/{run.public_id}/{part}").status_code == 302


@pytest.mark.parametrize("act", ["cancel", "again", "share"])
def test_nobody_acts_on_a_run_of_somebody_else(stranger, person, act):
    run = done(person, listed())
    assert stranger.post(f"/strategies/runs/{run.public_id}/{act}/").status_code == 404
    run.refresh_from_db()
    assert run.share_token is None
    assert Run.objects.count() == 1


def test_a_secret_link_shows_the_report_to_anybody_until_it_ends(client, person):
    run = done(person, listed())
    client.post(f"/strategies/runs/{run.public_id}/share/")
    run.refresh_from_db()
    link = f"/strategies/shared/{run.share_token}/"
    answer = Client().get(link)
    page = text(answer)
    assert run.orders_hash[:12] in page
    assert person.email not in page
    assert "csrfmiddlewaretoken" not in page.split("<main")[1].split("</main")[0]  # nothing can be done there
    assert (answer["X-Robots-Tag"], answer["Referrer-Policy"]) == ("noindex", "no-referrer")
    assert Client().get(f"{link}trades/").status_code == Client().get(f"{link}bars/").status_code == 200
    client.post(f"/strategies/runs/{run.public_id}/share/", {"shared": "false"})
    assert Client().get(link).status_code == 404


def test_a_secret_link_gives_the_trades_as_files_and_nothing_else_of_the_owner(client, person):
    run = done(person, listed(walk(600)))
    Run.objects.filter(pk=run.pk).update(printed="what my code printed")
    share_run(run_id=run.pk, at=START)
    run.refresh_from_db()
    link = f"/strategies/shared/{run.share_token}/"
    page = Client().get(link)
    files = {kind: Client().get(f"{link}trades.{kind}") for kind in ("csv", "parquet")}
    assert [files[kind].status_code for kind in files] == [200, 200]
    assert f'href="{link}trades.csv"' in text(page)
    assert files["csv"].content == client.get(f"/api/v1/runs/{run.public_id}/trades.csv").content
    assert pyarrow.parquet.read_table(io.BytesIO(files["parquet"].content)).num_rows == len(selectors.trades(run)) > 0
    answers = [page, *files.values(), Client().get(f"{link}trades/"), Client().get(f"{link}bars/")]
    for answer in answers:
        told = answer.content + repr(answer.headers).encode()
        for secret in (person.email, str(run.public_id), "what my code printed", f"/{person.pk}/"):
            assert secret.encode() not in told, secret
        if "trades." in answer.request["PATH_INFO"]:
            assert (answer["X-Robots-Tag"], answer["Referrer-Policy"]) == ("noindex", "no-referrer")
    client.post(f"/strategies/runs/{run.public_id}/share/", {"shared": "false"})
    assert Client().get(f"{link}trades.csv").status_code == 404


def test_a_shared_run_of_ones_own_code_shows_no_code(client, person):
    version = strategy_of(person, name="My secret idea", source="def secret_sauce(): pass\n")
    run = done(person, listed())
    Run.objects.filter(pk=run.pk).update(library="", version=version)
    share_run(run_id=run.pk, at=START)
    run.refresh_from_db()
    page = text(Client().get(f"/strategies/shared/{run.share_token}/"))
    for secret in ("secret_sauce", str(version.public_id), str(version.strategy.public_id), person.email):
        assert secret not in page, secret


def test_the_bars_of_a_run_carry_their_regime_and_the_report_its_words(client, person):
    run = done(person, listed(walk(900)))
    answer = client.get(f"/strategies/runs/{run.public_id}/bars/", {"start": 700, "count": 50}).json()
    assert [row[6] for row in answer["rows"]] == selectors.series(run).regimes[700:750].tolist()
    page = client.get(f"/strategies/runs/{run.public_id}/")
    assert page.context["data"]["regimes"][1] == "Trending up"
    assert 'id="show-regimes"' in text(page)


def test_a_report_in_french_is_french(client, person):
    run = done(person, listed())
    page = text(client.get(f"/strategies/runs/{run.public_id}/", headers={"accept-language": "fr"}))
    assert "Rendement total" in page
    assert "Chaque exécution paie 0,1" in page


# -- lists and comparison ----------------------------------------------------------------------------------------------


def test_my_runs_are_mine_and_filtered_by_the_address(client, stranger, person):
    one = listed()
    finished, queued = done(person, one), waiting(person, one)
    rows = client.get("/strategies/runs/").context["rows"]
    assert [row["run"].pk for row in rows] == [queued.pk, finished.pk]
    assert [row["run"].pk for row in client.get("/strategies/runs/?status=done").context["rows"]] == [finished.pk]
    assert client.get("/strategies/runs/?strategy=grid").context["rows"] == []
    assert client.get("/strategies/runs/?strategy=nonsense").context["rows"] == []
    assert "No runs yet" in text(stranger.get("/strategies/runs/"))


def test_four_runs_cost_as_many_queries_as_one(client, person):
    one = listed()
    client.get("/strategies/runs/")  # what a session asks for once
    costs = []
    for count in (1, 3):
        for _ in range(count):
            waiting(person, one)
        with CaptureQueriesContext(connection) as asked:
            client.get("/strategies/runs/")
        costs.append(len(asked))
    assert costs[0] == costs[1]


def test_runs_are_compared_side_by_side_six_at_most(client, stranger, person):
    one = listed()
    runs = [done(person, one), done(person, one, parameters={"fast": 3, "slow": 30})]
    query = "&".join(f"run={run.public_id}" for run in runs)
    page = client.get(f"/strategies/runs/compare/?{query}")
    total = next(row for row in page.context["rows"] if row["label"] == "Total return")
    assert [cell["text"] for cell in total["cells"]] == [
        f"{written(run.headline['total_return'] * 100, 2, signed=True)}\u00a0%" for run in runs
    ]
    assert sum(cell["best"] for cell in total["cells"]) == 1
    assert len(page.context["page_data"]["curves"]) == 2
    assert page.context["same_bars"] is True
    assert stranger.get(f"/strategies/runs/compare/?{query}").context["runs"] == []
    assert client.get("/strategies/runs/compare/?run=x").context["runs"] == []
    many = "&".join(f"run={uuid.uuid4()}" for _ in range(50))
    assert client.get(f"/strategies/runs/compare/?{many}").status_code == 200


# -- one's own strategies --------------------------------------------------------------------------------------------------


def test_versions_stay_and_what_changed_between_two_is_shown(client, person):
    version = strategy_of(person, source="a\nb\nc\n")
    save_version(strategy_id=version.strategy_id, source="a\nB\nc\n", notes="Louder", at=START)
    public_id = version.strategy.public_id
    assert "Louder" in text(client.get(f"/strategies/mine/{public_id}/"))
    rows = client.get(f"/strategies/mine/{public_id}/changes/").context["rows"]
    assert [(row["kind"], row["text"]) for row in rows] == [("same", "a"), ("removed", "b"), ("added", "B"), ("same", "c")]
    assert client.get(f"/strategies/mine/{public_id}/changes/?from=7").status_code == 404
    assert "Saved for good" in text(client.get(f"/strategies/versions/{version.public_id}/"))


def test_a_change_far_from_another_is_set_apart():
    before = "\n".join(str(i) for i in range(40))
    after = before.replace("\n5\n", "\nfive\n").replace("\n35\n", "\nthirty-five\n")
    kinds = [row["kind"] for row in changes(before, after)]
    assert kinds.count("gap") == 2
    assert kinds.count("added") == kinds.count("removed") == 2


def test_a_fork_is_a_strategy_of_its_own(client, stranger, person):
    version = strategy_of(person)
    assert stranger.post(f"/strategies/versions/{version.public_id}/fork/", {"name": "Stolen"}).status_code == 404
    client.post(f"/strategies/versions/{version.public_id}/fork/", {"name": "Other"})
    other = UserStrategy.objects.get(name="Other")
    assert other.forked_from == version
    assert other.family == version.strategy.family


def test_a_strategy_is_renamed_put_away_and_brought_back(client, person):
    one = strategy_of(person).strategy
    client.post(f"/strategies/mine/{one.public_id}/rename/", {"name": "Better"})
    client.post(f"/strategies/mine/{one.public_id}/archive/")
    assert client.get("/strategies/mine/").context["strategies"] == []
    assert [found.name for found in client.get("/strategies/mine/?away=true").context["strategies"]] == ["Better"]
    client.post(f"/strategies/mine/{one.public_id}/restore/")
    assert [found.name for found in client.get("/strategies/mine/").context["strategies"]] == ["Better"]


@pytest.mark.parametrize("path", ["mine/{s}/", "mine/{s}/edit/", "versions/{v}/", "mine/{s}/changes/", "runs/new/?version={v}"])
def test_a_strategy_of_somebody_else_is_not_there(stranger, person, path):
    version = strategy_of(person)
    save_version(strategy_id=version.strategy_id, source="x = 1", at=START)
    assert stranger.get("/strategies/" + path.format(s=version.strategy.public_id, v=version.public_id)).status_code == 404


# -- the editors --------------------------------------------------------------------------------------------------------------


def test_saving_makes_a_version_and_the_same_text_makes_none(client, person):
    made = post_json(client, "/strategies/new/save/", name="Mine", source=SOURCE).json()
    assert (made["number"], UserStrategy.objects.get(owner=person).name) == (1, "Mine")
    again = post_json(client, made["save"], source=SOURCE).json()
    assert again["number"] == 1
    assert post_json(client, made["save"], source=SOURCE + "\n# more", notes="More").json()["number"] == 2
    taken = post_json(client, "/strategies/new/save/", name="Mine", source=SOURCE)
    assert (taken.status_code, taken.json()["field"]) == (409, "name")


def test_nobody_saves_or_runs_in_a_strategy_of_somebody_else(stranger, person):
    version = strategy_of(person)
    for act in ("save", "try"):
        assert post_json(stranger, f"/strategies/mine/{version.strategy.public_id}/{act}/", source="x").status_code == 404
    assert Version.objects.count() == 1


@pytest.mark.parametrize("body", ["", "[]", "no json", '{"source": 7}', '{"source": null, "name": []}'])
def test_nonsense_is_refused_with_a_message(client, body):
    answer = client.post("/strategies/new/save/", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_trying_runs_the_newest_version_on_what_was_chosen(client, person):
    one, version = listed(), strategy_of(person)
    answer = post_json(
        client, f"/strategies/mine/{version.strategy.public_id}/try/", instruments=[one.ref], timeframe="1h", span="1m"
    )
    run = Run.objects.get(public_id=answer.json()["id"])
    assert (run.version, run.instrument, run.timeframe) == (version, one, "1h")
    wrong = post_json(client, f"/strategies/mine/{version.strategy.public_id}/try/", instruments=["no:thing"], timeframe="2h")
    assert (wrong.status_code, bool(wrong.json()["message"])) == (400, True)


def test_the_check_gives_the_declaration_or_the_line(client, monkeypatch):
    from strategies.errors import Refused

    monkeypatch.setattr(inspections, "declared_in", lambda source: {"name": "a", "parameters": []})
    assert post_json(client, "/strategies/lint/", source="x").json()["ok"] is True

    def refuse(source: str) -> None:
        raise Refused("invalid syntax", reason="error", line=4)

    monkeypatch.setattr(inspections, "declared_in", refuse)
    answer = post_json(client, "/strategies/lint/", source="x").json()
    assert (answer["ok"], answer["line"], answer["message"]) == (False, 4, "invalid syntax")
    assert post_json(client, "/strategies/lint/", source=7).json()["ok"] is False
    assert Client().post("/strategies/lint/", "{}", content_type="application/json").status_code == 302


def test_the_editor_offers_names_of_our_api(client):
    while (answer := client.get(client.get("/strategies/new/code/?template=trend").context["page_data"]["names"]).json()).get(
        "later"
    ):
        pass
    offered = answer["completions"]
    assert {"sma", "rsi", "atr"} <= {one["label"] for one in offered["indicators"]}
    assert {"buy", "target", "position", "close"} <= {one["label"] for one in offered["ctx"]}
    assert client.get("/strategies/new/code/?template=../../settings").status_code == 404


def test_the_editor_offers_every_public_name_of_the_api(monkeypatch):
    from strategies.sandbox.inside import api
    from strategies.views.completions import completions

    def labels(what: str) -> set[str]:
        return {one["label"] for one in completions.__wrapped__()[what]}

    assert "Higher" in labels("top")
    assert labels("top") == set(api.__all__)
    assert labels("indicators") == {name for name in vars(api.indicators) if not name.startswith("_")}
    monkeypatch.setattr(api, "later", lambda bars: bars, raising=False)
    monkeypatch.setattr(api, "__all__", [*api.__all__, "later"])
    monkeypatch.setattr(api.indicators, "later", staticmethod(lambda close: close), raising=False)
    assert "later" in labels("top") & labels("indicators")


@pytest.mark.parametrize(
    "path", ["/strategies/new/", "/strategies/new/rules/", "/strategies/mine/", "/strategies/runs/compare/"]
)
def test_pages_stand_without_anything_there(client, path):
    assert client.get(path).status_code == 200


def test_a_rule_is_previewed_on_the_newest_bars(client):
    from strategies.rules import gallery

    one = listed()
    document = next(rule for rule in gallery("en") if rule["document"]["timeframe"] == "1h")["document"]
    answer = post_json(client, "/strategies/preview/", document=document, instrument=one.ref).json()
    assert answer["ok"], answer
    assert len(answer["rows"]) == 300
    wrong = post_json(client, "/strategies/preview/", document={"version": 1}, instrument=one.ref).json()
    assert wrong["ok"] is False
    assert wrong["problems"]


def test_trying_as_the_preview_gives_what_the_preview_shows(client, person):
    from strategies.rules import gallery

    one = listed(walk(1_300))
    document = next(rule for rule in gallery("en") if rule["document"]["timeframe"] == "1h")["document"]
    shown = post_json(client, "/strategies/preview/", document=document, instrument=one.ref).json()
    assert len(shown["rows"]) == 1_000
    version = create_strategy(owner=person, name="Rules", kind="rules", rules=document, at=START)
    tried = post_json(
        client, f"/strategies/mine/{version.strategy.public_id}/try/", instruments=[one.ref], timeframe="1h", span="preview"
    ).json()
    assert [tried[name] for name in ("timeframe", "start", "end")] == [shown[name] for name in ("timeframe", "start", "end")]
    assert (shown["start"], shown["end"]) == (shown["rows"][0][0], shown["rows"][-1][0] + 3600)
    run = execute_run(run_id=Run.objects.get(public_id=tried["id"]).pk, at=START)
    assert run.bars == 1_000
    assert run.headline["trades"] == shown["trades"]["open"].count(False) > 0
    assert run.headline["total_return"] == pytest.approx(shown["total_return"])


# -- words ------------------------------------------------------------------------------------------------------------------


def test_the_words_for_translation_are_those_of_the_catalogue():
    said = set(metric_words.WORDS)
    wanted = {word for metric in CATALOGUE for word in (metric.group, metric.label, metric.formula)} | set(REASONS.values())
    assert said == wanted


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3_660, "1 h 1 min"), (90_000, "1 d 1 h"), (86_400 * 400, "400 d")],
)
def test_durations_have_two_units_at_most(seconds, said):
    with override("en"):
        assert duration(seconds).replace("\u00a0", " ") == said


def test_numbers_read_like_everywhere_else():
    by_key = {metric.key: metric for metric in CATALOGUE}
    with override("en"):
        assert metric_text(by_key["total_return"], 0.1234) == "+12.34\u00a0%"
        assert metric_text(by_key["win_rate"], 0.5) == "50.0\u00a0%"
        assert metric_text(by_key["max_drawdown"], -0.00001) == "0.00\u00a0%"
        assert metric_text(by_key["final_equity"], 12345.678, "USDT") == "12,345.68\u00a0USDT"
        assert metric_text(by_key["sharpe"], None) == "–"


def test_the_gallery_is_python_that_compiles():
    files = sorted(Path(settings.BASE_DIR / "templates" / "strategies" / "gallery").glob("*.py"))
    assert len(files) == 5
    for file in files:
        compile(file.read_text(), file.name, "exec")


def test_a_shared_run_stays_shared_when_it_is_shared_twice(person):
    run = done(person, listed())
    first = share_run(run_id=run.pk, at=START).share_token
    assert share_run(run_id=run.pk, at=START).share_token == first


def test_the_builder_speaks_of_indicators_in_the_language_of_the_page(client):
    while (found := client.get("/strategies/vocabulary/", headers={"accept-language": "fr"}).json()).get("later"):
        pass
    average = next(one for one in found["vocabulary"]["indicators"] if one["name"] == "sma")
    assert (average["label"], average["group"], average["parameters"][0]["label"]) == (
        "Moyenne mobile simple", "Moyennes mobiles", "Longueur",
    )  # fmt: skip
    anchored = next(one for one in found["vocabulary"]["indicators"] if one["name"] == "vwap")
    assert anchored["parameters"][0]["default"] == "day"
    assert anchored["parameters"][0]["choices"] == [["day", "jour"], ["week", "semaine"], ["month", "mois"]]
    assert any("canal de Donchian" in one["sentence"] or "Canal de Donchian" in one["sentence"] for one in found["gallery"])


def test_lists_heads_and_comparisons_name_the_venue(client, person):
    replay = VenueFactory(code="replay", name="A replay of last year")
    runs = [done(person, listed(base="BTC")), done(person, listed(venue=replay, base="BTC"))]
    compare = "/strategies/runs/compare/?" + "&".join(f"run={one.public_id}" for one in runs)
    for page in ("/strategies/runs/", compare):
        said = text(client.get(page))
        assert "BTC-USDT · Binance, recorded · 1h" in said
        assert "BTC-USDT · A replay of last year · 1h" in said
    assert "</a> · A replay of last year</span>" in text(client.get(f"/strategies/runs/{runs[1].public_id}/"))
