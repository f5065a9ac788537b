"""Owns how what a strategy printed, or an exception said, is made safe to show: no controls, no paths of this host."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path
from typing import Final

# CSI and OSC sequences whole, then every other control character but newline and tab; C1 controls too.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
# Any image, wherever it lies: the jail has its code where the host has it.
_IMAGE: Final = r"/[0-9a-f]{16}/(?:code|numba)"
_OF_THE_SYSTEM: Final = frozenset({"/", "/usr", "/usr/local"})
CUT: Final = "…"


def plain(raw: bytes | str) -> str:
    """Text without NUL, terminal escapes, other controls, marks that turn the writing direction, and folders of this host.

    HTML is left as it is: templates escape it where it is shown.
    """
    text = raw if isinstance(raw, str) else raw.decode("utf-8", errors="replace")
    text = text.encode("utf-8", errors="replace").decode("utf-8")
    return without_places(_CONTROLS.sub("�", _ESCAPES.sub("", text.replace("\r\n", "\n"))))


def one_line(text: str, longest: int = 300) -> str:
    """As ``plain``, on one line."""
    return " ".join(plain(text).split())[:longest]


def without_places(text: str) -> str:
    """A file of ours by its path within the project or the image, whatever folders of this host it lies in.

    The text may have been cut before it came here: the beginning of such a folder at its end goes too.
    """
    if "/" not in text:
        return text
    return _pattern().sub(lambda found: "" if found[0].endswith("/") else CUT, _without_a_cut_place(text))


def _without_a_cut_place(text: str) -> str:
    start = text.rfind("/", 0, max(0, text.rfind("/")))  # one folder alone says nothing of this host
    while start >= 0 and len(text) - start <= _longest():
        if any(place.startswith(text[start:]) for place in places()):
            return text[:start] + CUT
        start = text.rfind("/", 0, start)
    return text


@cache
def places() -> tuple[str, ...]:
    """Folders that tell something of this host, the longest first."""
    from strategies.sandbox.image import CACHE, CODE, PROJECT, parent

    found = {CODE, CACHE}
    found |= {str(form) for one in (parent(), PROJECT, Path.home()) for form in (one.absolute(), one.resolve())}
    found |= {sys.prefix, sys.base_prefix}
    return tuple(sorted(found - _OF_THE_SYSTEM, key=len, reverse=True))


@cache
def _longest() -> int:
    return max(map(len, places()), default=0)


@cache
def _pattern() -> re.Pattern[str]:
    known = "|".join(map(re.escape, places()))
    # Bounded, because the text is theirs: a long row of slashes must not keep this process busy.
    elsewhere = r"(?:/[^\s/'\"(),:<>]{1,80}){0,20}"
    return re.compile(rf"(?:(?:{known})(?:{_IMAGE})?|{elsewhere}{_IMAGE})(?:/|(?![\w.-]))")
