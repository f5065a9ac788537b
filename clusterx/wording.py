"""Texts that pure code declares for people: told to translators from here, and said in the language of the moment.

Pure packages know no languages. Whoever wires one up names its texts, and pages say them through ``said``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from django.utils.translation import pgettext

_declared: dict[str, Callable[[], Iterable[str]]] = {}


def declare(context: str, texts: Callable[[], Iterable[str]]) -> None:
    """``texts`` gives what is said in ``context``; it is called when messages are gathered, not before."""
    _declared[context] = texts


def declared() -> Iterator[tuple[str, str]]:
    """Each declared text once, with its context."""
    for context, texts in _declared.items():
        for text in dict.fromkeys(texts()):
            if text:
                yield context, text


def said(text: str, context: str) -> str:
    """``text`` in the language of the moment; as it stands where nobody has translated it."""
    return pgettext(context, text) if text else ""
