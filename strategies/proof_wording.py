"""What a proof says, in the language of the moment.

``proving`` is pure and writes English sentences with bars, lines and values in them. Each kind of sentence stands here as a
template with names where values are; a sentence is recognised by its template and said again by the template's translation.
What no template knows, what a user's code said above all, is said as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from django.utils.formats import number_format

from clusterx import wording

CONTEXT: Final = "proof"
PLACE: Final = re.compile(r"%\((\w+)\)s")
GROUPED: Final = re.compile(r"\d{1,3}(,\d{3})+")

# The first that fits is taken, so what is longer comes first.
TEMPLATES: Final = (
    # a whole verdict
    "Passed %(questions)s checks on %(bars)s bars.",
    "%(sentence)s And %(more)s more.",
    "%(message)s: probably line %(line)s, which %(reason)s.",
    # what failed
    "Bar %(bar)s changes when bar %(cause)s is removed: %(change)s",
    "Bar %(bar)s changes when the bars from %(cut)s on are removed: %(change)s",
    "Bar %(bar)s changes when the bars from %(cut)s on are replaced (%(kind)s): %(change)s",
    "Bar %(bar)s changes when the last bar, %(last)s, is unfinished or missing: %(change)s",
    "Bar %(bar)s changes when later bars lie in memory behind those that were given: %(change)s",
    "The same bars asked twice give two answers, at %(where)s",
    "The first %(cut)s bars get another answer once the later ones were seen, at %(where)s",
    "In %(where)s bar %(bar)s is decided otherwise: %(change)s",
    "It declares %(says)s and needs %(needs)s: with what it declares bar %(bar)s is decided otherwise, %(change)s",
    "It changes the bars that it was given",
    "It answers from memory: other prices in the same arrays get the answer of before",
    "It decides nothing on these bars, so that nothing can be proved; choose others, or parameters",
    "It takes %(seconds)s seconds to answer %(bars)s bars; a proof asks hundreds of times and needs it to take "
    "%(most)s at most",
    "It gives no answer on %(count)s of %(all)s other futures, so that they prove nothing",
    "It gives no answer to the first bar alone: %(error)s",
    "It gives no answer to the first %(cut)s bars: %(error)s",
    "It gives no answer to fewer bars: %(error)s",
    "It gives no answer to bars that are part of longer arrays: %(error)s",
    "It gives no answer to %(bars)s bars: %(error)s",
    "It gives no answer when the last bar is unfinished: %(error)s",
    "It gives no answer when it is asked again: %(error)s",
    "It gives no answer in a live session: %(error)s",
    "In %(where)s it gives no answer: %(error)s",
    # parts of these
    "its last digits",
    "bar %(bar)s: %(change)s",
    "too little history",
    "more than these bars can show",
    "%(bars)s bars of history",
    "%(bars)s or more",
    # what stands in nobody's way
    "It gives no answer when the future is %(kind)s: %(error)s.",
    "The history was not checked: %(note)s.",
    "It declares %(declared)s bars of history; %(needed)s did on these bars.",
    "not made: %(note)s",
    "the checks above have failed",
    "an event-driven file keeps what it needs itself",
    "%(declared)s bars of history need a proof on %(need)s bars or more, had %(had)s",
    # futures, values and markets
    "scaled",
    "mirrored",
    "shuffled",
    "extreme",
    "another walk",
    "constant",
    "a hole",
    "the levels given %(was)s becomes %(now)s",
    "exposure of instrument %(leg)s %(was)s becomes %(now)s",
    "exposure %(was)s becomes %(now)s",
    "stop %(was)s becomes %(now)s",
    "take profit %(was)s becomes %(now)s",
    "trail %(was)s becomes %(now)s",
    "%(what)s %(was)s becomes %(now)s",
    "wandering",
    "ranging",
    "breaking",
    # "line 17, which …"
    "is where it stopped",
    "looks behind the array that was given (.base)",
    "reads what is not offered (%(name)s)",
    "changes what outlives the call (%(name)s)",
    "moves later values to earlier bars (%(name)s by a negative number)",
    "moves later values to earlier bars (%(name)s)",
    "wraps the end of the series around to its beginning (roll)",
    "centres its window, half of which is the future (%(name)s)",
    "centres its window, half of which is the future",
    "fills gaps with later values",
    "fills gaps between earlier and later values",
    "smooths with values from both sides of a bar (%(name)s)",
    "fits on all the bars there are (%(name)s)",
    "reads the series from its end (%(name)s)",
    "puts all the bars in order (%(name)s)",
    "takes the sum of the whole series",
    "takes the %(name)s of the whole series",
    "finds bars by the bar after them (%(name)s)",
    "puts bars into a longer one, which is known only when it has closed (%(name)s)",
    "puts bars together, and a longer bar is known only when it has closed (resample)",
    "gives each bar a value of its whole group (%(name)s)",
    "decides by how many bars there are",
    "knows an array by its place in memory (id)",
    "keeps answers from one call to the next (%(name)s)",
    "keeps values from one call to the next",
    "keeps values from one run to the next",
    "draws random numbers without a seed of its own",
    "draws random numbers without a seed",
    "asks the clock (%(name)s)",
    "uses hash, which differs from process to process",
    "depends on the machine it runs on (%(name)s)",
    "looks around in the process (%(name)s)",
    "takes a slice that reaches beyond the bar",
    "uses the last time of the series on every bar ([-1])",
    "uses the last value of the series on every bar ([-1])",
    "reads a later bar than the one it decides on",
    "writes later values to earlier bars ([:-1] = [1:])",
    "writes into the bars that it was given",
)


def _pattern(template: str) -> re.Pattern[str]:
    parts = PLACE.split(template)  # text, name, text, name, … text
    told = [re.escape(part) if place % 2 == 0 else f"(?P<{part}>.+?)" for place, part in enumerate(parts)]
    return re.compile("".join(told), re.DOTALL)


PATTERNS: Final = tuple((template, _pattern(template)) for template in TEMPLATES)


def texts() -> Iterator[str]:
    """The templates, and what each check asks."""
    from strategies.proving.verdict import CHECKS

    yield from CHECKS.values()
    yield from TEMPLATES


def known(text: str) -> str | None:
    """The template that ``text`` was made by; None where there is none."""
    return next((template for template, pattern in PATTERNS if pattern.fullmatch(text)), None)


def said(text: str) -> str:
    """A sentence of a proof, its parts and its grouped numbers too."""
    if GROUPED.fullmatch(text):
        return str(number_format(int(text.replace(",", "")), force_grouping=True))
    for template, pattern in PATTERNS:
        if found := pattern.fullmatch(text):
            return wording.said(template, CONTEXT) % {name: said(value) for name, value in found.groupdict().items()}
    # A sentence on its own ends with a full stop; as a part of another one it does not.
    if text.endswith(".") and known(text[:-1]) is not None:
        return f"{said(text[:-1])}."
    return wording.said(text, CONTEXT)
