"""What the risk engine says, in the language of the moment: its texts, its numbers, and why something was refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from clusterx import wording
from trading.risk import wording as engine
from trading.risk.findings import Finding
from trading.risk.numbers import Number, Unit
from trading.risk.parameters import Parameter, Value

CONTEXT: Final = "risk"
SPACE: Final = "\u00a0"
_UNITS: Final = {Unit.SHARE: f"{SPACE}%", Unit.TIMES: "×", Unit.ATR: f"{SPACE}ATR", Unit.SECONDS: f"{SPACE}s"}


def texts() -> Iterator[str]:
    """What is declared to translators."""
    return engine.texts()


def said(text: str) -> str:
    return wording.said(text, CONTEXT)


def number(one: Number, english: str = "") -> str:
    """``one`` with its unit, and with as many digits as ``english`` has: how the engine itself writes it unless told."""
    english = english or one.text
    if not one.amount.is_finite():
        return english
    point = re.search(r"\.(\d+)", english)
    places = len(point[1]) if point else 0
    amount = one.amount * 100 if one.unit == Unit.SHARE else one.amount
    rounded = amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    digits = str(number_format(abs(rounded), decimal_pos=places, force_grouping=True))
    if rounded < 0:
        digits = f"−{digits}"
    if one.unit == Unit.RATE:
        return _("%(count)s a minute") % {"count": digits}
    if one.unit == Unit.MONEY:
        return f"{digits}{SPACE}{one.currency}".rstrip(SPACE)
    return digits + _UNITS.get(one.unit, "")


def sentence(finding: Finding) -> str:
    """Why not, with its numbers."""
    english = finding.texts
    return said(finding.template) % {name: number(one, english[name]) for name, one in finding.numbers.items()}


def rejection(payload: Mapping[str, Any]) -> tuple[str, Finding | None]:
    """Why a proposal was refused, from its event; as it was recorded where the event holds no finding that can be read."""
    try:
        finding = Finding.from_json(payload["finding"])
        return sentence(finding), finding
    except (KeyError, ValueError, TypeError, ArithmeticError):
        return str(payload.get("reason", "")), None


def value(parameter: Parameter, given: Value) -> str:
    """A parameter's value as people read it."""
    if isinstance(given, str):
        return said(dict(parameter.choices).get(given, given))
    return number(Number(Decimal(given), parameter.unit))
