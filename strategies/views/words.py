"""How the numbers and codes of a run read: labels, formats, durations, reasons. The catalogue of metrics is the source."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from clusterx.templatetags.figures import MINUS, MISSING
from strategies.engine.layout import Origin
from strategies.metrics.catalogue import Metric
from strategies.regimes import Regime

# Fractions that are gains or losses, and so carry their sign; others are shares of a whole.
SIGNED: Final = frozenset(
    {"total_return", "annual_return", "best_day", "worst_day", "value_at_risk", "expected_shortfall", "max_drawdown",
     "benchmark_return", "excess_return", "alpha"}
)  # fmt: skip
SIGNED_MONEY: Final = frozenset(
    {
        "expectancy",
        "average_win",
        "average_loss",
        "best_trade",
        "worst_trade",
        "average_mae",
        "worst_mae",
        "average_mfe",
        "best_mfe",
    }
)
HUGE: Final = 1e15

REGIMES: Final = {
    Regime.UNKNOWN: _("Not known yet"),
    Regime.TRENDING_UP: _("Trending up"),
    Regime.TRENDING_DOWN: _("Trending down"),
    Regime.RANGING: _("Ranging"),
    Regime.VOLATILE: _("Volatile"),
}
ORIGINS: Final = {
    Origin.TARGET: _("Signal"),
    Origin.STOP_LOSS: _("Stop loss"),
    Origin.TAKE_PROFIT: _("Take profit"),
    Origin.TRAILING_STOP: _("Trailing stop"),
    Origin.LIQUIDATION: _("Liquidation"),
}
VARIANTS: Final = {
    "as-asked": _("As asked"),
    "costs-doubled": _("Costs twice as high"),
    "one-bar-later": _("Every decision one bar later"),
    "pessimistic-fills": _("Pessimistic fills"),
}
FAILURES: Final = {
    "no-bars": _("There are no bars in this span. Choose a longer one, another timeframe or another instrument."),
    "invalid-bars": _("The bars of this span cannot be simulated on."),
    "invalid-result": _("The strategy answered with something that is no signal."),
    "invalid-order": _("The strategy placed an order that makes no sense."),
    "syntax": _("The code cannot be read as Python."),
    "error": _("The strategy's code failed."),
    "forbidden": _("The code uses something that is not allowed in the sandbox."),
    "timeout": _("The strategy took too long and was stopped."),
    "memory": _("The strategy used too much memory and was stopped."),
    "boundary": _("This server cannot run user code safely, so it did not run it."),
}


def written(value: float, decimals: int, *, signed: bool = False) -> str:
    """Grouped digits with a true minus, none before a number that rounds to zero."""
    if abs(value) >= HUGE:
        return f"{value:.2e}".replace("-", MINUS)
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    text = str(number_format(abs(rounded), decimal_pos=decimals, force_grouping=True))
    return f"{MINUS}{text}" if rounded < 0 else f"+{text}" if signed and rounded > 0 else text


def metric_text(metric: Metric, value: float | None, currency: str = "") -> str:
    """``value`` of ``metric`` as people read it; "–" where there is none."""
    if value is None:
        return MISSING
    match metric.unit:
        case "fraction":
            return f"{written(value * 100, metric.decimals, signed=metric.key in SIGNED)}\u00a0%"
        case "money":
            text = written(value, metric.decimals, signed=metric.key in SIGNED_MONEY)
            return f"{text}\u00a0{currency}".rstrip("\u00a0")
        case "seconds":
            return duration(value)
        case "count":
            return written(value, 0)
    return written(value, metric.decimals)


def metric_tone(metric: Metric, value: float | None) -> str:
    """Colour for gains and losses alone: a drawdown is always a loss and says nothing by being red."""
    if not value or metric.key == "max_drawdown" or metric.key not in SIGNED | SIGNED_MONEY:
        return ""
    return "up" if value > 0 else "down"


def duration(seconds: float) -> str:
    """Two units at most: "3 d 4 h"."""
    left = int(seconds)
    units = [(86_400, gettext("d")), (3_600, gettext("h")), (60, gettext("min")), (1, gettext("s"))]
    for place, (size, name) in enumerate(units):
        if left >= size or size == 1:
            text = f"{written(left // size, 0)}\u00a0{name}"
            rest = units[place + 1] if place + 1 < len(units) and left // size < 100 else None
            if rest and (more := left % size // rest[0]):
                text += f" {more}\u00a0{rest[1]}"
            return text
    raise AssertionError("seconds are the last unit")


def reason_text(code: int) -> str:
    """What made a trade begin or end: a signal, a protective order, or the strategy's own order with its number."""
    if code < 0:
        return str(ORIGINS.get(Origin(-code), _("Signal")))
    return gettext("Order") if code == 0 else gettext("Order, reason %(code)s") % {"code": code}


def day_of(seconds: float) -> str:
    """A date in UTC, as bars are dated."""
    return str(date_format(datetime.fromtimestamp(seconds, UTC), "DATE_FORMAT", use_l10n=True))


def span_text(first: float, last: float) -> str:
    """From one date to another in UTC, the year once where it is the same: "Sep 21 – Nov 20, 2024"."""
    start, end = datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC)
    short = "MONTH_DAY_FORMAT" if start.year == end.year else "DATE_FORMAT"
    return f"{date_format(start, short)} – {date_format(end, 'DATE_FORMAT')}"


def moment_of(seconds: float, *, daily: bool = False) -> str:
    """Date and time in UTC; the date alone of a daily bar."""
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at:%Y-%m-%d}" if daily else f"{at:%Y-%m-%d %H:%M}"


def bars_text(count: int) -> str:
    return ngettext("%(count)s bar", "%(count)s bars", count) % {"count": written(count, 0)}


def share_text(value: float, decimals: int = 2) -> str:
    """A fraction as a share without sign and without needless zeros: 0.001 → "0.1 %"."""
    text = written(value * 100, decimals)
    point = str(number_format(0.5, decimal_pos=1))[1]
    return f"{text.rstrip('0').rstrip(point) if point in text else text}\u00a0%"
