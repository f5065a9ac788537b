"""How numbers and moments read on every page. A missing value is "–", never 0; a sign is always written."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from django import template
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

register = template.Library()

MISSING: Final = "–"
MINUS: Final = "−"
# Currencies whose smallest coin is the hundredth; others keep what they need.
CENTS: Final = Decimal("0.01")

Number = Decimal | float | int | None


def decimals_of(step: Decimal) -> int:
    """How many decimals a price of tick ``step`` has: 0.01 → 2, 0.5 → 1, 10 → 0."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _decimal(value: Number) -> Decimal | None:
    if value is None or value == "":
        return None
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    return number if number.is_finite() else None


def _written(number: Decimal, decimals: int) -> str:
    """Grouped digits; a true minus, and none before a number that rounds to zero."""
    rounded = number.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    text = str(number_format(abs(rounded), decimal_pos=decimals, force_grouping=True))
    return f"{MINUS}{text}" if rounded < 0 else text


def _signed(number: Decimal, decimals: int) -> str:
    text = _written(number, decimals)
    rounded = number.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    return f"+{text}" if rounded > 0 else text


@register.filter
def decimals(instrument: Any) -> int:
    """Decimals of the instrument's prices."""
    return decimals_of(instrument.tick_size)


@register.filter
def price(value: Number, instrument: Any) -> str:
    """A price with its instrument's precision."""
    number = _decimal(value)
    return MISSING if number is None else _written(number, decimals_of(instrument.tick_size))


@register.filter
def quantity(value: Number, instrument: Any = None) -> str:
    """A quantity with the digits it has, at most those of its instrument's lot; eight decimals where none is given."""
    number = _decimal(value)
    if number is None:
        return MISSING
    most = 8 if instrument is None else decimals_of(instrument.lot_size)
    number = number.quantize(Decimal(1).scaleb(-most), rounding=ROUND_HALF_EVEN)
    return _written(number, decimals_of(number) if number else 0)


@register.filter
def money(value: Number, currency: str = "") -> str:
    """Two decimals and the currency: "10,000.00 USDT"."""
    number = _decimal(value)
    if number is None:
        return MISSING
    return f"{_written(number, 2)}\u00a0{currency}".rstrip("\u00a0")


@register.filter
def signed_money(value: Number, currency: str = "") -> str:
    """Money won or lost: "+12.50 USDT"."""
    number = _decimal(value)
    if number is None:
        return MISSING
    return f"{_signed(number, 2)}\u00a0{currency}".rstrip("\u00a0")


@register.filter
def percent(value: Number) -> str:
    """A fraction as a signed percentage: 0.012 → "+1.20 %"."""
    number = _decimal(value)
    return MISSING if number is None else f"{_signed(number * 100, 2)}\u00a0%"


@register.filter
def share(value: Number) -> str:
    """A fraction of a whole, without a sign: 0.2 → "20 %"."""
    number = _decimal(value)
    if number is None:
        return MISSING
    scaled = (number * 100).quantize(CENTS, rounding=ROUND_HALF_EVEN)
    return f"{_written(scaled, decimals_of(scaled) if scaled else 0)}\u00a0%"


@register.filter
def compact(value: Number) -> str:
    """A large count shortened: 12345 → "12.3k"."""
    number = _decimal(value)
    if number is None:
        return MISSING
    for size, letter in ((Decimal(10**9), "B"), (Decimal(10**6), "M"), (Decimal(10**3), "k")):
        if abs(number) >= size:
            return f"{_written(number / size, 1)}{letter}"
    return _written(number, 0 if number == int(number) else 2)


@register.filter
def tone(value: Number) -> str:
    """The class that colours a number: "up", "down", or nothing for zero and for none."""
    number = _decimal(value)
    if number is None or number == 0:
        return ""
    return "up" if number > 0 else "down"


@register.simple_tag
def moment(value: datetime | None, *, now: datetime | None = None) -> str | SafeString:
    """How long ago ``value`` was, in a ``<time>`` whose title is the exact moment; a script keeps it fresh."""
    if value is None:
        return MISSING
    passed = ((now or timezone.now()) - value).total_seconds()
    return format_html(
        '<time datetime="{}" data-ago title="{}">{}</time>',
        value.isoformat(),
        f"{date_format(timezone.localtime(value), 'DATETIME_FORMAT')} {timezone.localtime(value):%Z}",
        ago(passed),
    )


def ago(seconds: float) -> str:
    """Time passed in one unit: "2 s ago", "5 min ago", "3 h ago", "4 d ago"."""
    if seconds < 1:
        return _("just now")
    if seconds < 60:
        return _("%(count)s s ago") % {"count": int(seconds)}
    if seconds < 3600:
        return _("%(count)s min ago") % {"count": int(seconds // 60)}
    if seconds < 86400:
        return _("%(count)s h ago") % {"count": int(seconds // 3600)}
    return _("%(count)s d ago") % {"count": int(seconds // 86400)}
