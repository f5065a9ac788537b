"""What the library's strategies and the indicators of rules say about themselves, in the language of the moment."""

from __future__ import annotations

from collections.abc import Iterator

from clusterx import wording

CONTEXT = "strategy"


def texts() -> Iterator[str]:
    """Names, summaries, reasons, the labels, helps and choices of parameters, and what lines of charts are called.

    Of indicators those labels that the builder of rules shows.
    """
    from marketdata.indicators.registry import INDICATORS
    from strategies import drawn
    from strategies.library import CATALOGUE
    from strategies.rules.document import settings

    yield from drawn.names()
    for strategy in CATALOGUE.values():
        yield from (strategy.label, strategy.summary, strategy.rationale)
        for parameter in strategy.parameters:
            yield from (parameter.label, parameter.help)
            yield from (label for _value, label in parameter.choices)
    for entry in INDICATORS.values():
        yield from (entry.label, entry.group, *(one.label for one in entry.outputs), *(one.label for one in settings(entry)))


def said(text: str) -> str:
    return wording.said(text, CONTEXT)


def choices(offered: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """What a parameter offers, with each label said."""
    return [(value, said(label)) for value, label in offered]
