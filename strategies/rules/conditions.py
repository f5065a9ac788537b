"""Conditions over bars: every line is computed once, on its own timeframe, and read on the rule's bars without a look ahead.

A condition whose lines share a higher timeframe is evaluated on the bars of that one, and its answer holds until the next
of them has closed. One that mixes timeframes compares, at each bar of the rule, the newest closed value of each line.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from marketdata.indicators import registry
from marketdata.timeframes import TIMEFRAMES, Timeframe
from strategies.higher import Higher
from strategies.rules.kernels import TOUCH, above, crosses, runs, within
from strategies.rules.tree import Condition, Line, Node, Not

if TYPE_CHECKING:
    from marketdata.bars import Bars

Floats = npt.NDArray[np.float64]
Answers = npt.NDArray[np.int8]

# Of the lines' unit: averages that began on different bars differ by less, and a flat market must not flip on it.
NOISE = 1e-9


class Reading:
    """The lines of one rule over one series of bars, with parameters of ``values``."""

    def __init__(self, bars: Bars, timeframe: Timeframe, values: Mapping[str, Any]) -> None:
        self.bars = bars
        self.timeframe = timeframe
        self.values = values
        self._higher: dict[str, Higher] = {}
        self._outputs: dict[tuple[str | None, registry.Spec], dict[str, Floats]] = {}
        self._noise: dict[tuple[str | None, str], Floats] = {}
        self._answers: dict[Condition, Answers] = {}

    def answer(self, node: Node) -> Answers:
        """(n,) int8: 1 where ``node`` holds, -1 where not, 0 where unknown."""
        if isinstance(node, Condition):
            if node not in self._answers:
                self._answers[node] = self._condition(node)
            return self._answers[node]
        if isinstance(node, Not):
            return -self.answer(node.part)
        join = np.minimum if node.kind == "all" else np.maximum
        joined = self.answer(node.parts[0])
        for part in node.parts[1:]:
            joined = join(joined, self.answer(part))
        return joined

    def bars_of(self, name: str | None) -> Bars:
        """The rule's bars, or the closed ones of a higher timeframe."""
        return self.bars if name is None else self._at(name).bars

    def _at(self, name: str) -> Higher:
        if name not in self._higher:
            self._higher[name] = Higher(self.bars, name, step=self.timeframe.seconds)
        return self._higher[name]

    def _condition(self, condition: Condition) -> Answers:
        name = condition.timeframe
        bars = self.bars_of(name)
        lines = [self._line(line, name) for line in condition.lines]
        out = np.zeros(len(bars), np.int8)
        if not len(bars):
            return np.zeros(len(self.bars), np.int8)
        noise = self._noise_of(condition, name)
        number = None if condition.number is None else condition.number.of(self.values)
        match condition.op:
            case "above":
                above(*lines, noise, 1, out)
            case "below":
                above(*lines, noise, -1, out)
            case "crosses_above":
                crosses(*lines, noise, 1, out)
            case "crosses_below":
                crosses(*lines, noise, -1, out)
            case "within":
                within(*lines, float(number) / 100.0, out)  # type: ignore[arg-type]
            case "rising":
                runs(*lines, noise, 1, int(number), out)  # type: ignore[arg-type]
            case "falling":
                runs(*lines, noise, -1, int(number), out)  # type: ignore[arg-type]
            case "between":
                line, low, high = lines
                inside = (line >= low - noise) & (line <= high + noise)
                out[:] = np.where(np.isnan(line + low + high), 0, np.where(inside, 1, -1))
        if name is None:
            return out
        return np.append(out, np.int8(0))[self._at(name).newest]  # before the first bar of the higher timeframe: unknown

    def _line(self, line: Line, name: str | None) -> Floats:
        """``line`` on the bars of ``name``, its own timeframe or the rule's."""
        bars = self.bars_of(name)
        if line.constant is not None:
            return np.full(len(bars), float(line.constant.of(self.values)))
        values = self._own(line)
        if line.ago:
            values = np.concatenate((np.full(min(line.ago, len(values)), np.nan), values[: -line.ago]))
        return values if line.timeframe == name or line.timeframe is None else self._at(line.timeframe).align(values)

    def _own(self, line: Line) -> Floats:
        bars = self.bars_of(line.timeframe)
        if line.price is not None:
            return np.ascontiguousarray(getattr(bars, line.price), dtype=np.float64)
        key = (line.timeframe, line.spec(self.values))
        if key not in self._outputs:
            self._outputs[key] = registry.compute(key[1], bars)
        return self._outputs[key][line.output]

    def _noise_of(self, condition: Condition, name: str | None) -> Floats:
        units = {line.unit for line in condition.lines}
        unit = "price" if "price" in units else "volume" if "volume" in units else ""
        if (name, unit) not in self._noise:
            bars = self.bars_of(name)
            scale = bars.close if unit == "price" else bars.volume + 1.0 if unit == "volume" else np.ones(len(bars))
            self._noise[name, unit] = NOISE * scale
        return self._noise[name, unit]


def bars_needed(condition: Condition, timeframe: Timeframe, values: Mapping[str, Any]) -> int:
    """Bars of ``timeframe`` after which the newest answer of ``condition`` is that of the whole series."""
    at = condition.timeframe
    number = 0 if condition.number is None or condition.op == "within" else int(condition.number.of(values))
    more = {"crosses_above": TOUCH, "crosses_below": TOUCH, "rising": number, "falling": number}.get(condition.op, 0)
    needed = 1
    for line in condition.lines:
        if line.constant is not None:
            continue
        own = TIMEFRAMES[line.timeframe] if line.timeframe else timeframe
        history = registry.history(line.spec(values), own.seconds) if line.indicator else 1
        assert history is not None  # document.settings leaves out what needs the whole series
        # What is evaluated where the line lives counts in its bars; else in those of the rule.
        there, here = (more, 0) if at == line.timeframe else (0, more)
        needed = max(needed, in_bars(history + line.ago + there, own, timeframe) + here)
    return needed


def in_bars(count: int, own: Timeframe, timeframe: Timeframe) -> int:
    """``count`` closed bars of ``own`` in bars of ``timeframe``, wherever the newest of these lies in the next one."""
    ratio = ceil(own.seconds / timeframe.seconds)
    return count if ratio == 1 else (count + 2) * ratio
