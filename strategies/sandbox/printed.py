"""Owns how what a strategy printed, or an exception said, is made safe to show."""

from __future__ import annotations

import re

# CSI and OSC sequences whole, then every other control character but newline and tab; C1 controls too.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def plain(raw: bytes | str) -> str:
    """Text without NUL, terminal escapes, other controls and marks that turn the writing direction.

    HTML is left as it is: templates escape it where it is shown.
    """
    text = raw if isinstance(raw, str) else raw.decode("utf-8", errors="replace")
    text = text.encode("utf-8", errors="replace").decode("utf-8")
    return _CONTROLS.sub("�", _ESCAPES.sub("", text.replace("\r\n", "\n")))


def one_line(text: str, longest: int = 300) -> str:
    """As ``plain``, on one line."""
    return " ".join(plain(text).split())[:longest]
