"""What pages say of the strategy that a run or a study is of."""

from __future__ import annotations

from typing import Any, Final

from django.urls import reverse

from strategies import library
from strategies.models import Run, Study

AROUND: Final = 4  # lines of code shown on each side of the one that failed


def strategy_url(one: Run | Study) -> str:
    """Where it is described; empty for one that the library no longer has."""
    if one.version is not None:
        return reverse("strategies:mine_one", args=[one.version.strategy.public_id])
    return reverse("strategies:detail", args=[one.library]) if one.library in library.CATALOGUE else ""


def code_around(one: Run | Study) -> list[dict[str, Any]]:
    """The lines around the one that failed, where it is of one's own code."""
    if one.line is None or one.version is None or not one.version.source:
        return []
    lines = one.version.source.splitlines()
    first = max(1, one.line - AROUND)
    return [
        {"number": number, "text": lines[number - 1], "here": number == one.line}
        for number in range(first, min(len(lines), one.line + AROUND) + 1)
    ]
