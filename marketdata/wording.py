"""What indicators say about themselves, in the language of the moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clusterx import wording

CONTEXT: Final = "indicator"


def texts() -> Iterator[str]:
    """What indicators are called and tell, their groups and lines, and their settings with what may be chosen there."""
    from marketdata.indicators.registry import INDICATORS

    for entry in INDICATORS.values():
        yield from (entry.label, entry.group, entry.summary, *(one.label for one in entry.outputs))
        for parameter in entry.parameters:
            yield from (parameter.label, *parameter.choices)


def said(text: str) -> str:
    return wording.said(text, CONTEXT)
