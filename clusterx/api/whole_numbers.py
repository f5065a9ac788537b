"""Whole numbers that people write into addresses."""

from __future__ import annotations

MOST_DIGITS = 18  # within 64 bits; Python refuses to read thousands of them, and a database what lies beyond


def whole_number(text: str | None, *, least: int, most: int) -> int | None:
    """What ``text`` says, or None where it is no whole number of ``least..most`` in plain digits."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > MOST_DIGITS:
        return None
    number = int(text)
    return number if least <= number <= most else None
