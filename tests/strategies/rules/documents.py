"""Rule documents for tests: short ones written by hand, valid ones at random, and what damages them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from marketdata.indicators.registry import INDICATORS
from strategies.rules.document import settings

CLOSE = {"price": "close"}
# Windows that a few hundred bars hold many of.
SHORT = 12


def constant(value: float) -> dict[str, Any]:
    return {"constant": value}


def rule(when: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A long rule on 15m bars that buys once ``when`` holds."""
    basic = {"version": 1, "name": "Test", "timeframe": "15m", "direction": "long", "entry": {"long": when}, "hold": 20}
    return {**basic, **more}


def above(level: float) -> dict[str, Any]:
    return {"op": "above", "left": CLOSE, "right": constant(level)}


def below(level: float) -> dict[str, Any]:
    return {"op": "below", "left": CLOSE, "right": constant(level)}


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    """A line that is not a constant; indicators with short windows."""
    place: dict[str, Any] = {}
    if draw(st.integers(0, 3)) == 0:
        place["timeframe"] = draw(st.sampled_from(["15m", "1h", "4h"]))
    if draw(st.integers(0, 3)) == 0:
        place["ago"] = draw(st.integers(1, 3))
    if draw(st.booleans()):
        return {"price": draw(st.sampled_from(["open", "high", "low", "close", "volume"])), **place}
    entry = INDICATORS[draw(st.sampled_from(sorted(INDICATORS)))]
    params: dict[str, Any] = {}
    for setting in settings(entry):
        if setting.kind == "choice":
            params[setting.name] = draw(st.sampled_from(setting.choices))
        elif setting.kind == "int" and setting.name not in entry.ascending:
            low, high = int(setting.minimum or 0), int(setting.maximum or 0)
            params[setting.name] = draw(st.integers(low, max(low, min(high, SHORT))))
    for index, name in enumerate(entry.ascending):
        if entry.parameters[0].kind == "int":
            params[name] = 3 + 4 * index
    return {"indicator": entry.name, "params": params, "output": draw(st.sampled_from(entry.outputs)).name, **place}


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    op = draw(st.sampled_from(["above", "below", "crosses_above", "crosses_below", "within", "between", "rising", "falling"]))
    left = draw(lines())
    other = lines() | st.floats(-100, 200, allow_nan=False).map(constant)
    if op in ("rising", "falling"):
        return {"op": op, "left": left, "bars": draw(st.integers(1, 4))}
    if op == "between":
        return {"op": op, "left": left, "low": draw(other), "high": draw(other)}
    found = {"op": op, "left": left, "right": draw(other)}
    return {**found, "percent": draw(st.floats(0.1, 20))} if op == "within" else found


nodes = st.recursive(
    conditions(),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts})
        | st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts})
        | inner.map(lambda part: {"not": part})
    ),
    max_leaves=4,
).filter(lambda node: depth(node) <= 4)


def depth(node: dict[str, Any]) -> int:
    inner = node.get("all") or node.get("any") or ([node["not"]] if "not" in node else [])
    return 1 + max(map(depth, inner)) if inner else 0


distances = st.one_of(
    st.floats(0.1, 10).map(lambda value: {"kind": "percent", "value": value}),
    st.tuples(st.floats(0.5, 5), st.integers(2, 10)).map(lambda t: {"kind": "atr", "value": t[0], "window": t[1]}),
)
sizes = st.one_of(
    st.floats(1, 100).map(lambda value: {"kind": "fixed", "value": value}),
    st.integers(5, 20).map(lambda window: {"kind": "volatility", "value": 30, "window": window}),
    st.just({"kind": "risk", "value": 1, "most": 50}),
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A valid document on 15m bars."""
    direction = draw(st.sampled_from(["long", "short", "both"]))
    sides = ["long", "short"] if direction == "both" else [direction]
    document: dict[str, Any] = {
        "version": 1,
        "name": "Random",
        "timeframe": "15m",
        "direction": direction,
        "entry": {side: draw(nodes) for side in sides},
        "exit": {side: draw(st.none() | nodes) for side in sides},
        "hold": draw(st.integers(1, 30)),
        "cooldown": draw(st.integers(0, 10)),
        "filters": draw(st.none() | nodes),
        "size": draw(sizes),
    }
    for name in ("stop", "trail", "profit"):
        document[name] = draw(st.none() | distances)
    if document["size"]["kind"] == "risk" and document["stop"] is None:
        document["stop"] = draw(distances)
    return document


junk: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([]), st.just({}), st.just(10**400),
    st.just({"tune": "x", "value": 1}), st.lists(st.integers(), max_size=2),
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A valid document in which one to three places hold something else, or nothing."""
    # A copy: what `st.just` gives is one object for every example.
    document: Any = deepcopy(draw(documents()))
    for _ in range(draw(st.integers(1, 3))):
        holder, part = document, draw(st.sampled_from(sorted(document)))
        for _ in range(draw(st.integers(0, 8))):
            inner = holder[part]
            if isinstance(inner, dict) and inner:
                holder, part = inner, draw(st.sampled_from(sorted(inner)))
            elif isinstance(inner, list) and inner:
                holder, part = inner, draw(st.integers(0, len(inner) - 1))
            else:
                break
        if isinstance(holder, dict) and draw(st.booleans()):
            del holder[part]
            holder[draw(st.sampled_from(["x", "op", "tune", "all"]))] = deepcopy(draw(junk))
        else:
            holder[part] = deepcopy(draw(junk))
        if not document:
            break
    return document
