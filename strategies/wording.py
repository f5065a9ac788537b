"""What the library's strategies say about themselves, in the language of the moment."""

from __future__ import annotations

from collections.abc import Iterator

from clusterx import wording

CONTEXT = "strategy"


def texts() -> Iterator[str]:
    """Names, summaries, reasons, the labels, helps and choices of parameters, and what lines of charts are called."""
    from strategies import drawn
    from strategies.library import CATALOGUE

    yield from drawn.names()
    for strategy in CATALOGUE.values():
        yield from (strategy.label, strategy.summary, strategy.rationale)
        for parameter in strategy.parameters:
            yield from (parameter.label, parameter.help)
            yield from (label for _value, label in parameter.choices)


def said(text: str) -> str:
    return wording.said(text, CONTEXT)


def choices(offered: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """What a parameter offers, with each label said."""
    return [(value, said(label)) for value, label in offered]
