"""From a rule to a strategy of the contract: declared parameters, honest history, and signals as array expressions.

Nothing of the document is executed: conditions are evaluated by ``conditions.Reading``, positions by one compiled pass.
The same document gives the same strategy in every process, so an instance travels as its document.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from marketdata.indicators import registry
from marketdata.indicators.registry import IndicatorError
from strategies.contract import Floats, InvalidParameter, InvalidSignals, Parameter, Parameters, Signals, Strategy
from strategies.rules.conditions import Reading, bars_needed
from strategies.rules.document import read
from strategies.rules.kernels import positions, volatility
from strategies.rules.sentence import say
from strategies.rules.tree import Distance, Node, Rule

if TYPE_CHECKING:
    from marketdata.bars import Bars

_YEAR = 365 * 86_400
_NONE = np.empty(0)


class RuleStrategy(Strategy):
    """A strategy that a rule document describes. ``timeframe`` is the one it is meant for; shorter bars are refused."""

    name = "rule"

    def __init__(self, rule: Rule, digest: str) -> None:
        self.rule = rule
        self.digest = digest
        self.timeframe = rule.timeframe
        self.label = rule.name  # type: ignore[misc]
        self.summary = say(rule)  # type: ignore[misc]
        self.parameters = tuple(_parameters(rule))  # type: ignore[misc]
        stop = rule.stop is not None or rule.trail is not None
        self.levels = (*(("stop",) if stop else ()), *(("take_profit",) if rule.profit else ()))  # type: ignore[misc]

    def check(self, p: Parameters) -> None:
        for condition in self.rule.conditions():
            for line in condition.lines:
                if line.indicator is not None:
                    try:
                        line.spec(p)
                    except IndicatorError as error:
                        tuned = [number.tune.name for number in line.numbers() if number.tune is not None]
                        raise InvalidParameter(str(error), field=tuned[0] if tuned else "") from None

    def history(self, p: Parameters) -> int:
        rule, timeframe = self.rule, self.timeframe
        needed = [bars_needed(condition, timeframe, p) for condition in rule.conditions()]
        ranges = (one for one in (rule.stop, rule.trail, rule.profit) if one is not None and one.kind == "atr")
        needed += [registry.history(_range(distance, p), timeframe.seconds) or 0 for distance in ranges]
        if rule.size.window is not None:
            needed.append(int(rule.size.window.of(p)) + 1)
        hold, cooldown = int(rule.hold.of(p)), int(rule.cooldown.of(p))
        # Whether a signal counts in a cool-down depends on a position that ended before, itself of an earlier signal.
        return max(needed) + hold + 2 + (hold + cooldown if cooldown else 0)

    def signals(self, bars: Bars, p: Parameters) -> Floats | Signals:
        rule, n = self.rule, len(bars)
        if n > 1 and int(np.diff(bars.time).min()) < self.timeframe.seconds:
            raise InvalidSignals(f"the rule is for bars of {self.timeframe}, these are shorter", field="timeframe")
        try:
            reading = Reading(bars, self.timeframe, p)
            no = np.full(n, -1, np.int8)
            entry, leave = rule.entry, rule.exit
            ask = {side: (_of(reading, entry[side], no), _of(reading, leave[side], no)) for side in ("long", "short")}
            gate = _of(reading, rule.filters, -no)
            distances = [_distance(distance, bars, p) for distance in (rule.stop, rule.trail, rule.profit)]
        except IndicatorError as error:
            raise InvalidSignals(str(error)) from None
        out = np.empty((3 if self.levels else 1, n))
        prices = (np.ascontiguousarray(column, dtype=np.float64) for column in (bars.high, bars.low, bars.close))
        amount = self._amount(bars, p, distances[0])
        positions(
            *ask["long"], *ask["short"], gate, *prices, *distances, amount,
            int(rule.hold.of(p)), int(rule.cooldown.of(p)), bool(self.levels), out,
        )  # fmt: skip
        exposure: Floats = out[0]
        if not self.levels:
            return exposure
        return Signals(
            exposure,
            stop=out[1] if "stop" in self.levels else None,
            take_profit=out[2] if "take_profit" in self.levels else None,
        )

    def _amount(self, bars: Bars, p: Parameters, stop: Floats) -> Floats:
        """(n,) exposure that a signal at each bar would take; 0 or NaN where it can take none."""
        size = self.rule.size
        share, most = float(size.value.of(p)) / 100.0, float(size.most.of(p)) / 100.0
        if size.kind == "fixed":
            return np.full(len(bars), share)
        if size.kind == "risk":
            loss = stop / bars.close
        else:
            assert size.window is not None
            loss = np.empty(len(bars))
            volatility(np.ascontiguousarray(bars.close, dtype=np.float64), int(size.window.of(p)), loss)
            loss *= sqrt(_YEAR / self.timeframe.seconds)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(loss > 0, np.minimum(share / loss, most), np.nan)

    def __reduce__(self) -> tuple[Any, ...]:
        return RuleStrategy, (self.rule, self.digest)


def compile_rule(document: object, *, timeframe: str | None = None) -> RuleStrategy:
    """The strategy that ``document`` describes, on its own timeframe or another that it can run on.

    Raises InvalidRule with all that is wrong with it.
    """
    if timeframe is not None and isinstance(document, Mapping):
        document = {**document, "timeframe": timeframe}
    rule = read(document)
    return RuleStrategy(rule, digest(document))


def digest(document: object) -> str:
    """SHA-256 of a document, whatever the order of its fields."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _parameters(rule: Rule) -> list[Parameter]:
    """The tuned numbers, each once, in the order of the document."""
    found: dict[str, Parameter] = {}
    for number in rule.numbers():
        if (tune := number.tune) is not None and tune.name not in found:
            label = tune.name.replace("_", " ").capitalize()
            kind = "int" if tune.whole else "float"
            found[tune.name] = Parameter(tune.name, label, kind, number.value, tune.minimum, tune.maximum, tune.step)  # type: ignore[arg-type]
    return list(found.values())


def _of(reading: Reading, node: Node | None, otherwise: Any) -> Any:
    return otherwise if node is None else np.ascontiguousarray(reading.answer(node))


def _range(distance: Distance, values: Mapping[str, Any]) -> registry.Spec:
    assert distance.window is not None
    return registry.make_spec("atr", {"window": int(distance.window.of(values))})


def _distance(distance: Distance | None, bars: Bars, values: Mapping[str, Any]) -> Floats:
    """(n,) in price; empty for none."""
    if distance is None:
        return _NONE
    factor = float(distance.value.of(values))
    if distance.kind == "percent":
        return np.ascontiguousarray(bars.close * (factor / 100.0))
    return registry.compute(_range(distance, values), bars)["value"] * factor
