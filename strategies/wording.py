"""What the library's strategies say about themselves, in the language of the moment.

And what the warnings of a run mean: pages and commands say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext_lazy as _

from clusterx import wording

if TYPE_CHECKING:
    from strategies.contract import Parameter

CONTEXT = "strategy"
WARNINGS: Final = {
    "bankrupt": _("The account was ruined: nothing after that moment means anything."),
    "liquidations": _("Positions were liquidated because the margin was used up."),
    "short-not-allowed": _("The strategy wanted to sell short where that is not possible; those orders were refused."),
    "open-positions": _("A position was still open at the end. It is valued at the last price and counts as no closed trade."),
    "ambiguous-trades": _("In some bars both stop and target were in reach; the worse one was taken."),
    "no-trades": _("It never traded. There is nothing to judge."),
    "few-trades": _("Fewer than 30 closed trades: chance alone can make numbers like these."),
    "rejected-orders": _("Some orders were refused; the assumption sheet says why."),
    "missing-bars": _("Bars are missing within the span; nothing was filled there. The assumption sheet says how many."),
    "frozen-bars": _("Some bars are frozen: no volume, and a price that does not move. A feed may have stood still."),
    "recorded-times": _(
        "These bars are a recording that is played as if it was of now: their dates are not those on which it happened."
    ),
    "shorts-for-free": _("It sold short what has to be borrowed, and no cost of borrowing was assumed."),
    "volume-unknown": _("These bars have no volume, so no order was ever too large for the market."),
    "silent-bars": _("Nothing was traded in some bars; orders waited for the next one that was."),
}
# Of ``appraisal``: why a test of robustness was not made.
UNTESTED: Final = {
    "few-trades": _("There are too few closed trades."),
    "several-instruments": _("This test is made on one instrument; the run has several."),
    "no-volume": _("These bars have no volume."),
    "not-possible": _("It cannot be made of this run: the strategy gives no answer to changed bars."),
}


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


def values(parameters: Sequence[Parameter], given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Values as people read them, by the labels that a strategy declares; what it does not declare stands as it is."""
    labels = {one.name: said(one.label) for one in parameters}
    offered = {one.name: dict(choices(one.choices)) for one in parameters}
    return [
        (
            labels.get(name, name),
            offered.get(name, {}).get(str(value), f"{value:g}" if isinstance(value, float) else str(value)),
        )
        for name, value in given.items()
    ]
