"""Says a rule in words. Pure: the templates are in ``words``; labels of indicators go through the caller's ``translate``.

``static/src/js/rules/sentence.js`` puts the same sentence together while a rule is being built; a file of examples under
``tests/strategies/rules`` holds the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from marketdata.indicators.registry import INDICATORS
from strategies.rules.shape import Number
from strategies.rules.tree import SIDES, Condition, Distance, Group, Line, Node, Not, Rule
from strategies.rules.words import ENGLISH, WORDS

Translate = Callable[[str], str]


def say(
    rule: Rule, language: str = "en", *, values: Mapping[str, Any] | None = None, translate: Translate | None = None
) -> str:
    """The rule as one sentence, with tuned numbers at ``values`` or their defaults.

    ``language`` is a code such as ``fr`` or ``fr-ca``; English where there are no words for it.
    """
    return _Speaker(WORDS.get(language.split("-")[0], ENGLISH), values or {}, translate or str).rule(rule)


def _inside(label: str) -> str:
    """A label within a sentence: Upper becomes upper; SMA and %K stay."""
    return label.lower() if label[:1].isupper() and label[1:].islower() else label


class _Speaker:
    def __init__(self, words: Mapping[str, Any], values: Mapping[str, Any], translate: Translate) -> None:
        self.words = words
        self.values = values
        self.translate = translate

    def rule(self, rule: Rule) -> str:
        words = self.words
        parts = [words["entry"][side].format(text=self.node(node)) for side in SIDES if (node := rule.entry[side])]
        if rule.filters is not None:
            parts.append(words["filters"].format(text=self.node(rule.filters)))
        parts += [words["exit"][side].format(text=self.node(node)) for side in SIDES if (node := rule.exit[side])]
        for name, distance in (("stop", rule.stop), ("trail", rule.trail), ("profit", rule.profit)):
            if distance is not None:
                parts.append(words[name].format(distance=self.distance(distance)))
        parts.append(self.counted(words["hold"], rule.hold))
        if rule.cooldown.of(self.values):
            parts.append(self.counted(words["cooldown"], rule.cooldown))
        size = rule.size
        facts = {"value": size.value, "window": size.window, "most": size.most}
        parts.append(words["size"][size.kind].format(**{k: self.number(v) for k, v in facts.items() if v is not None}))
        parts.append(words["direction"][rule.direction])
        parts.append(words["timeframe"].format(timeframe=rule.timeframe.name))
        text: str = words["joint"].join(part for part in parts if part)
        return text[0].upper() + text[1:] + "."

    def node(self, node: Node) -> str:
        if isinstance(node, Condition):
            return self.condition(node)
        if isinstance(node, Not):
            return str(self.words["not"].format(text=self.node(node.part)))
        if len(node.parts) == 1:
            return self.node(node.parts[0])
        texts = [
            self.words["group"].format(text=self.node(part))
            if isinstance(part, Group) and len(part.parts) > 1
            else self.node(part)
            for part in node.parts
        ]
        return str(self.words[node.kind]).join(texts)

    def condition(self, condition: Condition) -> str:
        words, shared = self.words, condition.timeframe
        left, *others = (self.line(line, shared) for line in condition.lines)
        if condition.op in ("rising", "falling"):
            assert condition.number is not None
            text = self.counted(words[condition.op], condition.number, left=left)
        elif condition.op == "between":
            text = words["op"]["between"].format(left=left, low=others[0], high=others[1])
        else:
            number = "" if condition.number is None else self.number(condition.number)
            text = words["op"][condition.op].format(left=left, right=others[0], number=number)
        return words["on"].format(text=text, timeframe=shared) if shared else text

    def line(self, line: Line, shared: str | None) -> str:
        words = self.words
        if line.constant is not None:
            return self.number(line.constant)
        text: str = words["price"][line.price] if line.price is not None else self.indicator(line)
        if line.ago:
            text = self.counted(words["ago"], Number(line.ago), line=text)
        return words["on"].format(text=text, timeframe=line.timeframe) if line.timeframe and line.timeframe != shared else text

    def indicator(self, line: Line) -> str:
        entry = INDICATORS[line.indicator or ""]
        output = next(one for one in entry.outputs if one.name == line.output)
        # The line that an indicator is named after needs no other name: ADX(14), not average directional index(14) ADX.
        single = len(entry.outputs) == 1 or output.name == entry.name
        name = self.translate(output.label if single else entry.label)
        params = self.words["separator"].join(
            self.number(value) if isinstance(value, Number) else self.translate(value) for _, value in line.params
        )
        text = f"{name}({params})" if params else name
        return (
            text if single else str(self.words["output"].format(indicator=text, output=_inside(self.translate(output.label))))
        )

    def distance(self, distance: Distance) -> str:
        facts = {"value": self.number(distance.value)}
        if distance.window is not None:
            facts["window"] = self.number(distance.window)
        return str(self.words["distance"][distance.kind].format(**facts))

    def number(self, number: Number) -> str:
        return f"{number.of(self.values):.12g}".replace(".", self.words["decimal"])

    def counted(self, forms: Mapping[str, str], number: Number, **facts: str) -> str:
        count = number.of(self.values)
        return forms["one" if count == 1 else "many"].format(count=self.number(number), **facts)
