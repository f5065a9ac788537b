"""A document is taken whole or refused with everything that is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from strategies.contract import InvalidParameter, validate
from strategies.rules import EXAMPLES, InvalidRule, compile_rule, read, schema
from tests.strategies.rules.documents import CLOSE, above, conditions, constant, damaged, documents, junk, rule

RELAXED = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
SCHEMA = Draft202012Validator(schema())


def refusal(document: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidRule) as refused:
        read(document)
    json.dumps(refused.value.facts)
    return [(one["path"], one["found"], one["expected"]) for one in refused.value.facts["errors"]]


def test_every_problem_is_told_with_its_place_what_was_found_and_what_was_expected() -> None:
    document = rule(
        {
            "all": [
                above(1),
                {"op": "above", "left": {"indicator": "ema", "params": {"window": 1, "size": 2}}, "right": constant(1)},
            ]
        },
        hold=0,
        direction="up",
        stop={"kind": "atr", "value": 500},
        colour="red",
    )
    assert refusal(document) == [
        ("/colour", "'red'", "no field of this name; there are cooldown, direction, entry, exit, filters, hold, name, "
         "profit, size, stop, timeframe, trail, version"),
        ("/direction", "'up'", "one of long, short, both"),
        ("/entry/long/all/1/left/params/size", "2", "no field of this name; there are window"),
        ("/entry/long/all/1/left/params/window", "1", "a whole number from 2 to 500"),
        ("/hold", "0", "a whole number from 1 to 5000"),
        ("/stop/value", "500", "a number from 0.1 to 50"),
    ]  # fmt: skip


def hold(name: str, value: int, minimum: int, maximum: int) -> dict[str, Any]:
    return {"tune": name, "value": value, "minimum": minimum, "maximum": maximum}


NESTED: dict[str, Any] = above(1)
for _ in range(4):
    NESTED = {"not": NESTED}


@pytest.mark.parametrize(
    ("document", "path", "expected"),
    [
        (None, "", "an object with version, name"),
        ({**rule(above(1)), "version": 2}, "/version", "1"),
        ({**rule(above(1)), "version": True}, "/version", "1"),
        (rule({"all": []}), "/entry/long/all", "a list of 1 to 40 conditions"),
        (rule({"all": [above(1)], "any": [above(1)]}), "/entry/long/any", "no field of this name; there are all"),
        (rule({"not": NESTED}), "/entry/long/not/not/not/not", "a condition: groups may be 4 levels deep"),
        (rule({"all": [{"any": [above(1)] * 21}, {"any": [above(1)] * 20}]}), "", "a rule of at most 40 conditions"),
        (rule(above(1), direction="both"), "/entry/short", "a condition, as the direction is both"),
        (rule(above(1), exit={"short": above(1)}), "/exit/short", "nothing, as the direction is long"),
        (rule(above(1), size={"kind": "risk", "value": 1}), "/stop", "a stop, as the size is a risk down to it"),
        (rule({"op": "above", "left": {"price": "close", "timeframe": "5m"}, "right": CLOSE}), "/timeframe",
         "at most 5m, which condition 1 reads"),
        (rule({"op": "above", "left": constant(1), "right": constant(2)}), "", "a rule without comparisons of constants alone"),
        (rule({"op": "above", "left": {"indicator": "macd", "params": {"fast": 30}}, "right": constant(0)}),
         "/entry/long/left/params", "parameters that fit together (macd: fast must be below slow"),
        (rule({"op": "above", "left": {"indicator": "obv", "params": {"anchor": "series"}}, "right": constant(0)}),
         "/entry/long/left/params/anchor", "one of day, week, month"),
        (rule({"op": "above", "left": {"indicator": "sma", "output": "x"}, "right": CLOSE}),
         "/entry/long/left/output", "one of value"),
        (rule({"op": "above", "left": {**CLOSE, "ago": {"tune": "a"}}, "right": CLOSE}),
         "/entry/long/left/ago", "a whole number from 0"),
        (rule(above(1), name="a\x1b[31m"), "/name", "a line of 1 to 80 characters"),
        (rule(above(1), hold=10**400), "/hold", "a whole number from 1 to 5000"),
        (rule(above(float("nan"))), "/entry/long/right/constant", "a number from"),
        (rule(above(1), hold=hold("Hold!", 5, 1, 9)), "/hold/tune", "a name of small letters"),
        (rule(above(1), hold=hold("h", 50, 1, 9)), "/hold/value", "a whole number from 1 to 9"),
        (rule(above(1), hold=hold("h", 5, 9, 1)), "/hold/maximum", "a number above the minimum, 9"),
        (rule(above(1), hold={"tune": "h", "value": 5, "minimum": 1, "maximum": 9},
              cooldown={"tune": "h", "value": 6, "minimum": 1, "maximum": 9}), "", "wherever h is tuned"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_at_its_place(document: Any, path: str, expected: str) -> None:
    ((where, _, wanted),) = refusal(document)
    assert where == path
    assert expected in wanted


def test_a_document_of_absurd_depth_is_refused_like_any_other() -> None:
    node: dict[str, Any] = above(1)
    for _ in range(5000):
        node = {"not": node}
    assert refusal(rule(node))[0][2].startswith("a condition")


@RELAXED
@given(documents())
def test_valid_documents_are_taken_and_fit_the_schema(document: dict[str, Any]) -> None:
    read(document)
    assert not list(SCHEMA.iter_errors(document))


@RELAXED
@given(st.one_of(damaged(), damaged(), junk, conditions()))
def test_nothing_but_the_declared_error_comes_of_a_damaged_document(document: Any) -> None:
    try:
        strategy = compile_rule(document)
    except InvalidRule as error:
        refused = error
    else:
        assert strategy.history(validate(strategy, {})) > 0
        return
    assert refused.problems
    assert all(len(problem.found) < 80 and problem.expected for problem in refused.problems)


@RELAXED
@given(damaged())
def test_what_the_schema_refuses_is_refused(document: Any) -> None:
    # Huge integers aside, the schema says less: it knows no rules between fields.
    if "1" + "0" * 400 not in repr(document) and any(SCHEMA.iter_errors(json.loads(json.dumps(document)))):
        with pytest.raises(InvalidRule):
            read(document)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_valid_survive_json_and_fit_the_schema(name: str) -> None:
    document = json.loads(json.dumps(EXAMPLES[name]))
    assert read(document) == read(EXAMPLES[name])
    Draft202012Validator.check_schema(schema())
    assert not list(SCHEMA.iter_errors(document))
    strategy = compile_rule(document)
    assert strategy.label == document["name"]
    assert strategy.parameters


def test_a_tuned_number_is_a_declared_parameter_once() -> None:
    fast = {
        "indicator": "ema",
        "params": {"window": {"tune": "fast_window", "value": 20, "minimum": 5, "maximum": 60, "step": 5}},
    }
    stop = {"kind": "percent", "value": {"tune": "stop", "value": 2.5, "minimum": 1, "maximum": 5}}
    entry = {"op": "above", "left": fast, "right": CLOSE}
    strategy = compile_rule(rule({"all": [entry, {**entry, "op": "crosses_above"}]}, stop=stop))
    assert [(p.name, p.label, p.kind, p.default, p.minimum, p.maximum, p.step) for p in strategy.parameters] == [
        ("fast_window", "Fast window", "int", 20, 5, 60, 5),
        ("stop", "Stop", "float", 2.5, 1.0, 5.0, 0.2),
    ]
    assert validate(strategy, {"fast_window": 30}).fast_window == 30
    with pytest.raises(InvalidParameter, match=r"fast_window must be 5\.\.60, was 61"):
        validate(strategy, {"fast_window": 61})


def test_tuned_numbers_that_do_not_fit_together_name_one_of_them() -> None:
    macd = {"indicator": "macd", "params": {"fast": {"tune": "fast", "value": 12, "minimum": 5, "maximum": 40}}}
    strategy = compile_rule(rule({"op": "above", "left": macd, "right": constant(0)}))
    with pytest.raises(InvalidParameter, match="fast must be below slow") as refused:
        validate(strategy, {"fast": 26})
    assert refused.value.facts["field"] == "fast"
