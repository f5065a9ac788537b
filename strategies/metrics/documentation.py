"""Owns docs/metrics.md: the page is made from the catalogue.

``python -m strategies.metrics.documentation`` prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Final

from strategies.metrics.catalogue import CATALOGUE, Metric, Sampling
from strategies.metrics.errors import REASONS
from strategies.metrics.intervals import FEWEST_DAYS, FEWEST_TRADES, RESAMPLES

_MADE_OF: Final[Mapping[Sampling, str]] = MappingProxyType(
    {"run": "the whole run", "bars": "bar closes", "days": "UTC days", "trades": "closed trades"}
)

_PREFACE: Final = f"""# Metrics

Made from the catalogue (`python -m strategies.metrics.documentation`); a test keeps the two equal.
`strategies.metrics.measuring.measure` computes all of it from a run's arrays.

## How they are made

* **Days.** A bar counts at its close and belongs to the UTC day in which its last second lies. Daily returns are simple
  returns from one day's last close to the next one's, the first from the start cash. So the same days sampled hourly or
  daily give the same Sharpe ratio. A first or last day that the run covers in part counts as a day.
* **Calendar.** `crypto`: 365 days a year; a day without a bar keeps the equity of the day before and returns 0.
  `exchange`: 252 days a year; only days with a bar count. Bars longer than a day are samples of their own, as many a year
  as fit.
* **Under a year** (360 days from the first opening to the last close: a year of sessions may be as short) nothing is
  compounded to a year: those numbers are left out. What is scaled to a year by the square root of time is given and
  marked: it says what a year would look like if it went on like this.
* **Riskless** is the riskless return of a year, 0 unless given, of a day (1 + it)^(1 ÷ days per year) − 1.
* **Signs.** Losses, drawdowns and excursions against a trade are negative; costs are positive. Fractions are shown as percent.
* **Ruin.** Once equity is at zero (a millionth of a millionth of the start cash) or below, that day's return is −100 % and
  the last one; nothing is compounded to a year. The drawdown goes on with the equity, below −100 % where money is owed.
* **Benchmark.** Compared day by day. Where its value before the first bar is not given, its first close is its start and
  the comparison begins on the second day.
* **Missing.** No number is ever infinite or NaN: it is left out, with the reason.

## Confidence intervals

Where a number comes with one, it is the middle 95 % of {RESAMPLES:,} resamples: the same for the same seed on every
machine. Days are drawn by the stationary bootstrap (Politis and Romano 1994) in blocks of ∛days on average, from
{FEWEST_DAYS} days; the benchmark's days along with them. Closed trades are drawn one by one, from {FEWEST_TRADES} trades; more
than 500 in 500 runs of trades that follow one another. An interval says how far luck with the days that happened would
reach, not what other markets would bring. Its drawdowns are of daily closes: the measured one, at bar closes, is deeper.

## Tables

* **Drawdowns**: the ten deepest, with the times of peak, trough and recovery.
* **Months and years**: returns by UTC month and year, compounding to the total return.
* **Distribution**: daily returns counted in bins of like width (Freedman and Diaconis 1981), zero being an edge.
* **Regimes**: bars, return, drawdown, Sharpe ratio and trades for each label. A bar counts for the regime known when it began
  (the label at the close before), a trade for that of its entry bar, a day for the label that most of its bars have. The
  regimes' returns compound to the total return.
"""


def page() -> str:
    """The page docs/metrics.md, Markdown."""
    parts = [_PREFACE]
    for group, entries in groupby(CATALOGUE, key=lambda metric: metric.group):
        parts.append(f"\n## {group}\n")
        parts.extend(_entry(metric) for metric in entries)
    parts.append("\n## Why a number may be missing\n\n")
    parts.extend(f"* `{code}`: {text}\n" for code, text in REASONS.items())
    return "".join(parts)


def _entry(metric: Metric) -> str:
    marks = [f"from {_MADE_OF[metric.sampling]}"]
    if metric.better != "neither":
        marks.append(f"{metric.better} is better")
    if metric.annualised:
        marks.append("scaled to a year")
    if metric.compounded:
        marks.append("left out under a year")
    if metric.interval:
        marks.append("with an interval")
    return f"\n**{metric.label}** `{metric.key}`: {metric.formula}.\n({'; '.join(marks)}; {_shown(metric)})\n"


def _shown(metric: Metric) -> str:
    places = "" if not metric.decimals else f", {metric.decimals} decimal{'s' if metric.decimals > 1 else ''}"
    return {
        "fraction": f"a fraction, shown as percent{places}",
        "number": f"a number{places}",
        "money": f"account currency{places}",
        "count": "a count",
        "seconds": "seconds, shown as a duration",
    }[metric.unit]


if __name__ == "__main__":
    sys.stdout.write(page())
