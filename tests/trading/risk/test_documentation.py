"""docs/risk.md is what the engine does: the page is made from it, and its tables are read back and tried."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from trading.risk import documentation
from trading.risk.breakers import BreakerState, Facts, Policy, observe
from trading.risk.checks import RULES
from trading.risk.documentation import page
from trading.risk.examples import EXAMPLES, example
from trading.risk.numbers import Number, Unit
from trading.risk.parameters import APPETITES, PARAMETERS, POLICIES
from trading.risk.profile import profile
from trading.risk.situation import Sort
from trading.risk.sizing import Room, Wish, size
from trading.risk.wording import texts

D = Decimal
PAGE = Path(__file__).resolve().parents[3] / "docs" / "risk.md"


def table(begins: str) -> list[dict[str, str]]:
    """The table of the page whose header begins so, row by row."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(begins))
    names = [cell.strip() for cell in lines[first].strip("|").split("|")]
    rows = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(names, (cell.strip() for cell in line.strip("|").split("|")), strict=True)))
    return rows


def test_the_page_is_made_from_the_engine() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m trading.risk.documentation > docs/risk.md"


def test_the_table_of_appetites_is_exactly_the_engine_s() -> None:
    rows = table("| parameter |")
    assert len(rows) == len(PARAMETERS)
    for row, parameter in zip(rows, PARAMETERS, strict=True):
        assert row["parameter"] == f"**{parameter.label}** `{parameter.name}`"
        for appetite in APPETITES:
            value = getattr(profile(appetite), parameter.name)
            assert row[str(appetite)] == parameter.said(value)


def test_no_value_of_the_table_is_rounded_in_writing() -> None:
    for parameter in PARAMETERS:
        for value in () if parameter.choices else (*parameter.columns, parameter.minimum, parameter.maximum):
            assert parameter.said(value) == Number(D(value), parameter.unit).written(12)


def test_the_table_of_rules_says_who_is_asked() -> None:
    rows = table("| code | refuses")
    assert [row["code"] for row in rows] == [f"`{rule.code}`" for rule in RULES]
    for row, rule in zip(rows, RULES, strict=True):
        assert [row[sort.value] for sort in Sort] == [rule.scopes[sort].value for sort in Sort]
        # Whatever holds for panic holds for protection, and so on: nobody further along is asked more.
        assert [row[sort.value] == "–" for sort in Sort] == sorted(row[sort.value] == "–" for sort in Sort)


@pytest.mark.parametrize("code", EXAMPLES)
def test_each_example_is_refused_for_its_own_reason(code: str) -> None:
    finding = example(code)
    assert finding.code == code
    assert finding.sentence == {row["code"]: row["sentence"] for row in table("| code | sentence")}[f"`{code}`"]


def test_there_is_an_example_of_every_rule() -> None:
    assert list(EXAMPLES) == [rule.code for rule in RULES]


def test_the_policies_are_what_the_page_says() -> None:
    rows = table("| choice |")
    assert {row["choice"].strip("`") for row in rows} == {name for name, _ in POLICIES} == set(Policy)
    for row in rows:
        policy = Policy(row["choice"].strip("`"))
        assert (row["opening orders that wait"] == "are cancelled") == policy.cancels_openings
        assert (row["positions"] == "are closed at market") == policy.closes_positions


def test_the_breakers_count_as_the_worked_table_says() -> None:
    rows = table("| day | equity")
    assert len(rows) == 11
    state, chosen, begin = BreakerState(), profile(5), datetime(2026, 3, 2, tzinfo=UTC)
    for number, row in enumerate(rows):
        day = begin + timedelta(days=int(row["day"]))
        facts = Facts(day + timedelta(minutes=number), day.date(), D(row["equity"]), D(row["paid in"]))
        state, trips = observe(state, facts, chosen)
        assert Number(state.daily_loss, Unit.SHARE).text == row["daily loss"], number
        assert Number(state.drawdown, Unit.SHARE).text == row["drawdown"], number
        assert (", ".join(trip.breaker.value for trip in trips) or "–") == row["trips"], number


@pytest.mark.parametrize("row", table("| appetite | target"), ids=lambda row: " ".join(row.values()))
def test_positions_are_sized_as_the_worked_table_says(row: dict[str, str]) -> None:
    def number(name: str) -> Decimal | None:
        return None if row[name] == "–" else D(row[name])

    wish = Wish(
        target=D(row["target"]), allocation=D(row["allocation"]), price=D(100), mark=D(100), fee_rate=D(0), tick=D("0.01"),
        lot=D("0.01"), atr=number("ATR"), stop=number("own stop"), is_bad_regime=row["regime"] == "bad",
    )  # fmt: skip
    answer = size(wish, Room(D(10_000)), profile(int(row["appetite"])))
    assert (answer.quantity, answer.stop, answer.bound_by) == (D(row["quantity"]), number("stop"), row["bound by"])


def test_a_changed_rule_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    before = page()
    monkeypatch.setattr(documentation, "RULES", RULES[1:])
    assert page() != before


def test_translators_are_told_every_sentence() -> None:
    told = set(texts())
    for rule in RULES:
        assert {rule.label, rule.refuses} <= told
        assert set(rule.wordings.values()) <= told
    for parameter in PARAMETERS:
        assert {parameter.label, parameter.help} <= told
    assert "" not in told
