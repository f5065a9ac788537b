"""Owns docs/indicators.md: the page is made from the registry and the rules its functions state.

``python -m marketdata.indicators.documentation`` prints it.
"""

import sys
from collections.abc import Callable, Mapping
from inspect import getdoc
from itertools import groupby
from types import MappingProxyType

from marketdata.indicators import structure, zones
from marketdata.indicators.definitions import Indicator, Parameter
from marketdata.indicators.registry import INDICATORS, make_spec

_RULES: Mapping[str, Callable[..., object]] = MappingProxyType(
    {
        "structure": structure.structure,
        "order_blocks": zones.order_blocks,
        "fair_value_gaps": zones.fair_value_gaps,
        "liquidity_sweeps": structure.liquidity_sweeps,
    }
)

_MEMORY: Mapping[str, str] = MappingProxyType(
    {
        "window": "a fixed number of bars counts",
        "decay": "the past fades below a part in 10¹²",
        "reset": "two runs fall together at a reversal; the number is measured, with a margin",
        "session": "starts anew each session",
        "series": "the whole series counts",
    }
)

_PREFACE = """# Indicators

Made from the registry (`python -m marketdata.indicators.documentation`); a test keeps the two equal.

An indicator is named in text by its spec: `macd(12,26,9)`, `macd(fast=8)` or `macd`. TA-Lib computes what it has; ours,
compiled by Numba, only what it lacks. There is one implementation of each: the live value is the same function on the tail
of the series.

* A value at a bar rests on that bar and those before it. A series that is too short gives no value, not an error.
* **History** is the number of bars after which the newest value equals that of the whole series to 1e-9 of its usual
  size, here at the default parameters and for one-minute bars. A test finds the least number on random and recorded
  series and holds the declared one against it. Averages that fade assume that price moves: where it has stood still for
  the whole history, what came before still counts.
* Prices that do not differ leave a z-score, a probability or a Hurst exponent without a value.
* A swing is known only once it is confirmed; a zone begins before the bar from which it is known, and nothing uses it
  earlier.
"""


def page() -> str:
    """The page docs/indicators.md, Markdown."""
    parts = [_PREFACE]
    for group, entries in groupby(INDICATORS.values(), key=lambda entry: entry.group):
        parts.append(f"\n## {group}\n")
        parts.extend(_section(entry) for entry in entries)
    return "".join(parts)


def _section(entry: Indicator) -> str:
    history = entry.history(entry.defaults())
    needs = "the whole series" if history is None else f"{history} bars"
    lines = [
        f"\n### {entry.label}: `{make_spec(entry.name)}`\n",
        entry.summary,
        "",
        f"* Source: {entry.source}",
        f"* Inputs: {', '.join(entry.inputs)}; drawn {'on the price' if entry.pane == 'price' else 'in a pane of its own'}",
        f"* History: {needs} ({'its level counts from the first bar' if history is None else _MEMORY[entry.memory]})",
        *(f"* Parameter `{p.name}`: {p.label}, {_range(p)}" for p in entry.parameters),
        *(
            f"* Output `{o.name}`: {o.label}"
            + (f", drawn `{o.shift}` bars ahead" if o.shift else "")
            + (", not drawn" if o.style == "hidden" else "")
            + (", in a pane of its own" if o.pane == "own" and entry.pane == "price" else "")
            for o in entry.outputs
        ),
    ]
    if entry.signals:
        lines.append(f"* Signals: {', '.join(sorted({rule.kind for rule in entry.signals}))}")
    if entry.name in _RULES:
        rule = (getdoc(_RULES[entry.name]) or "").partition("\n\n")[2].partition("\n\nReturns")[0]
        lines += ["", " ".join(rule.replace("``", "`").split())]
    return "\n".join(lines) + "\n"


def _range(parameter: Parameter) -> str:
    if parameter.kind == "choice":
        return f"{' | '.join(parameter.choices)}; default {parameter.default}"
    return f"{parameter.minimum:g} to {parameter.maximum:g}; default {parameter.default:g}"


if __name__ == "__main__":
    sys.stdout.write(page())
