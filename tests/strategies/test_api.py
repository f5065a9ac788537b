"""REST of strategies and runs: what it gives, to whom."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pyarrow.parquet as parquet
import pytest
from django.test import Client

from strategies import selectors
from strategies.services.runs import request_run, share_run
from tests.factories import START, UserFactory
from tests.strategies.market import asked_for, done, listed
from tests.strategies.test_versions import CODE

pytestmark = pytest.mark.django_db
API = "/api/v1"


class Person:
    """Somebody signed in, speaking JSON."""

    def __init__(self) -> None:
        self.user = UserFactory()
        self.client = Client()
        self.client.force_login(self.user)

    def get(self, path: str, **query: object) -> Any:
        return self.client.get(API + path, query)

    def send(self, method: str, path: str, body: object = None) -> Any:
        return self.client.generic(method, API + path, json.dumps(body or {}), content_type="application/json")

    def post(self, path: str, body: object = None) -> Any:
        return self.send("POST", path, body)


@pytest.fixture
def person() -> Person:
    return Person()


def test_the_library_says_of_each_strategy_what_it_needs():
    rows = {row["name"]: row for row in Client().get(f"{API}/strategies/").json()["results"]}
    assert (rows["pairs"]["legs"], rows["pairs"]["style"], rows["pairs"]["deployable"]) == (2, "PortfolioStrategy", False)
    assert (rows["sma-cross"]["legs"], rows["sma-cross"]["deployable"]) == (1, True)
    assert rows["grid"]["style"] == "EventStrategy"
    assert all(row["rationale"] for row in rows.values())


def test_a_strategy_is_written_saved_forked_renamed_and_put_away(person):
    made = person.post("/my-strategies/", {"name": "Mine", "source": CODE, "notes": "the first"})
    assert made.status_code == 201, made.json()
    first = made.json()
    assert (first["number"], first["source"], first["inspection"]["status"]) == (1, CODE, "waiting")
    here = f"/my-strategies/{first['strategy']}/"
    second = person.post(f"{here}versions/", {"source": CODE + "# more\n"}).json()
    assert second["number"] == 2
    listing = person.get(f"{here}versions/").json()["results"]
    assert [row["number"] for row in listing] == [2, 1]
    assert "source" not in listing[0]
    assert person.get(f"/versions/{first['id']}/").json()["source"] == CODE
    forked = person.post(f"{here}fork/", {"name": "Other", "version": first["id"]}).json()
    assert (forked["number"], forked["source"]) == (1, CODE)
    assert person.post(f"{here}fork/", {"name": "Newest"}).json()["source"] == second["source"]
    assert person.send("PATCH", here, {"name": "Renamed"}).json()["name"] == "Renamed"
    assert person.send("DELETE", here).status_code == 204
    names = [row["name"] for row in person.get("/my-strategies/").json()["results"]]
    assert names == ["Newest", "Other"]
    taken = person.post("/my-strategies/", {"name": "Other", "source": CODE})
    assert (taken.status_code, taken.json()["code"]) == (409, "name-taken")


def test_a_run_is_asked_for_followed_and_read(person):
    from strategies.models import Run
    from strategies.services.execution import execute_run

    instrument = listed()
    body = {
        "strategy": "sma-cross", "parameters": {"fast": 5, "slow": 20}, "instruments": [instrument.ref], "timeframe": "1h",
        "costs": {"fee": 0.001}, "rules": {"fill": "close"},
    }  # fmt: skip
    made = person.post("/runs/", body)
    assert made.status_code == 201, made.json()
    run = made.json()
    assert (run["status"], run["stage"], run["parameters"]["fast"]) == ("queued", "waiting", 5)
    here = f"/runs/{run['id']}/"
    early = person.get(f"{here}result/")
    assert (early.status_code, early.json()["code"]) == (409, "run-not-done")
    execute_run(run_id=Run.objects.get().pk, at=START)
    whole = person.get(here).json()
    assert (whole["status"], whole["conditions"]["rules"]["fill"]) == ("done", "close")
    assert whole["metrics"]["numbers"]["final_equity"] == whole["headline"]["final_equity"]
    result = person.get(f"{here}result/", points=50).json()
    lengths = {name: len(column) for name, column in result["points"].items()}
    assert set(lengths.values()) == {lengths["time"]}
    assert 25 <= lengths["time"] <= 52
    assert result["points"]["equity"][-1] == whole["headline"]["final_equity"]
    assert [one["name"] for one in result["sensitivity"]][:2] == ["as-asked", "costs-doubled"]
    again = person.post(f"{here}rerun/")
    assert (again.status_code, again.json()["rerun_of"]) == (201, run["id"])
    assert person.post(f"/runs/{again.json()['id']}/cancel/").json()["status"] == "cancelled"


def test_the_list_of_runs_is_narrowed_and_paged(person):
    instrument = listed()
    for strategy in ("sma-cross", "sma-cross", "macd"):
        request_run(owner=person.user, asked=asked_for(instrument, strategy=strategy), at=START)
    request_run(owner=UserFactory(), asked=asked_for(instrument), at=START)
    assert len(person.get("/runs/").json()["results"]) == 3
    assert len(person.get("/runs/", strategy="macd").json()["results"]) == 1
    assert len(person.get("/runs/", status="done").json()["results"]) == 0
    assert len(person.get("/runs/", instrument=instrument.ref).json()["results"]) == 3
    page = person.get("/runs/", page_size=2).json()
    assert len(page["results"]) == 2
    assert len(person.client.get(page["next"]).json()["results"]) == 1
    wrong = person.get("/runs/", status="asleep")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "status")


def test_trades_are_the_same_as_json_csv_and_parquet(person):
    run = done(person.user, listed())
    expected = selectors.trades(run)
    here = f"/runs/{run.public_id}/"
    first = person.get(f"{here}trades/", page_size=5).json()
    assert (first["count"], len(first["results"]), first["previous"]) == (len(expected), 5, None)
    second = person.client.get(first["next"]).json()
    assert second["results"][0]["number"] == 6
    rows = list(csv.DictReader(io.StringIO(person.get(f"{here}trades.csv").content.decode())))
    table = parquet.read_table(io.BytesIO(person.get(f"{here}trades.parquet").content)).to_pylist()
    assert [float(row["pnl"]) for row in rows] == [row["pnl"] for row in table] == expected["pnl"].tolist()
    assert [row["side"] for row in rows] == [row["side"] for row in table]
    assert list(rows[0]) == list(table[0]) == list(first["results"][0])
    assert {row["entry_reason"] for row in rows} == {"target"}
    download = person.get(f"{here}trades.csv")
    assert download["Content-Disposition"] == f'attachment; filename="trades-{run.public_id}.csv"'


def test_what_makes_no_sense_names_the_field(person):
    instrument = listed()
    good = {"strategy": "sma-cross", "instruments": [instrument.ref], "timeframe": "1h"}
    for change, field in (
        ({"strategy": "nope"}, "strategy"),
        ({"parameters": {"fast": 1e9}}, "parameters.fast"),
        ({"costs": {"tax": 3}}, "costs.tax"),
        ({"rules": {"fill": "never"}}, "rules.fill"),
        ({"instruments": ["no:SUCH"]}, "instruments"),
        ({"timeframe": "7m"}, "timeframe"),
        ({"cash": -3}, "cash"),
        ({"cash": True}, "cash"),
        ({"costs": {"slippage": 1e9}}, "costs.slippage"),
        ({"version": "00000000-0000-0000-0000-000000000000"}, "version"),
    ):
        answer = person.post("/runs/", good | change)
        assert answer.status_code == 400, (change, answer.json())
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["errors"][0]["field"].startswith(field), answer.json()


def test_other_peoples_strategies_versions_and_runs_do_not_exist(person):
    stranger = Person()
    made = stranger.post("/my-strategies/", {"name": "Theirs", "source": CODE}).json()
    run = done(stranger.user, listed())
    for path in (
        f"/my-strategies/{made['strategy']}/", f"/my-strategies/{made['strategy']}/versions/", f"/versions/{made['id']}/",
        f"/runs/{run.public_id}/", f"/runs/{run.public_id}/result/", f"/runs/{run.public_id}/trades/",
        f"/runs/{run.public_id}/trades.csv", f"/runs/{run.public_id}/trades.parquet",
    ):  # fmt: skip
        assert stranger.get(path).status_code == 200, path
        assert person.get(path).status_code == 404, path
        assert Client().get(API + path).status_code == 401, path
    for path in ("cancel", "rerun", "share"):
        assert person.post(f"/runs/{run.public_id}/{path}/").status_code == 404
    mine = {"version": made["id"], "instruments": [listed().ref], "timeframe": "1h"}
    assert person.post("/runs/", mine).json()["errors"][0]["field"] == "version"


def test_a_shared_run_is_open_to_who_has_the_address_and_says_nothing_of_its_owner(person):
    run = done(person.user, listed())
    here = f"/runs/{run.public_id}/share/"
    token = person.post(here).json()["token"]
    shared = Client().get(f"{API}/shared-runs/{token}/")
    assert shared.json()["orders_hash"] == run.orders_hash
    assert not {"code_hash", "printed", "owner", "message"} & set(shared.json())
    assert person.user.email not in shared.content.decode()
    assert len(Client().get(f"{API}/shared-runs/{token}/result/").json()["points"]["time"]) == 300
    assert person.send("DELETE", here).status_code == 204
    assert Client().get(f"{API}/shared-runs/{token}/").status_code == 404
    share_run(run_id=run.pk, at=START)
    assert Client().get(f"{API}/shared-runs/{token}/").status_code == 404
