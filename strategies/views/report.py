"""What the page of a finished run shows, made from what the run stored. Nothing is computed anew."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from django.urls import reverse
from django.utils.dates import MONTHS_AP
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clusterx.templatetags.figures import decimals_of
from strategies import selectors
from strategies.metrics.catalogue import CATALOGUE, METRICS, Metric
from strategies.metrics.errors import REASONS
from strategies.metrics.result import Metrics
from strategies.models import Run
from strategies.regimes import Regime
from strategies.views import assumptions
from strategies.views.words import (
    REGIMES,
    VARIANTS,
    bars_text,
    day_of,
    duration,
    metric_text,
    metric_tone,
    share_text,
    written,
)

HEADLINE: Final = (
    "total_return", "annual_return", "sharpe", "max_drawdown", "win_rate", "profit_factor", "trades", "excess_return",
)  # fmt: skip
VARIANT_COLUMNS: Final = ("total_return", "sharpe", "max_drawdown", "trades", "final_equity")
REGIME_COLUMNS: Final = ("total_return", "sharpe", "max_drawdown", "win_rate")
POINTS: Final = 1_500
DRAWDOWNS: Final = 5
# Returns from which a cell of the heat map takes the next shade.
SHADES: Final = (0.0, 0.01, 0.03, 0.07, 0.15)
WIDTH, HEIGHT = 600, 180


@dataclass(frozen=True)
class Figure:
    """One number as it is shown. ``note`` is its interval, or why there is none of it; ``help`` is its formula."""

    key: str
    label: str
    value: str
    tone: str
    note: str
    help: str


def figure(metric: Metric, metrics: Metrics, currency: str, *, notes: bool = True) -> Figure:
    value = getattr(metrics, metric.key)
    note = ""
    if value is None:
        note = _(REASONS[reason]) if (reason := metrics.missing.get(metric.key)) else ""
    elif notes and metric.key in metrics.intervals:
        low, high = (metric_text(metric, end, "") for end in metrics.intervals[metric.key])
        note = _("95 %%: %(low)s … %(high)s") % {"low": low, "high": high}
    return Figure(
        metric.key, _(metric.label), metric_text(metric, value, currency), metric_tone(metric, value), note, _(metric.formula)
    )


def headline(metrics: Metrics, run: Run, currency: str) -> list[Figure]:
    """The few numbers at the top, with their intervals."""
    keys = [key for key in HEADLINE if getattr(metrics, key) is not None or key != "excess_return"]
    return [figure(METRICS[key], metrics, currency) for key in keys]


def groups(metrics: Metrics, currency: str) -> list[tuple[str, list[Figure]]]:
    """All numbers, by group, in the catalogue's order."""
    return [
        (_(group), [figure(metric, metrics, currency) for metric in members])
        for group, members in groupby(CATALOGUE, key=lambda metric: metric.group)
    ]


def context(run: Run, *, shared: bool = False) -> dict[str, Any]:
    """Everything that ``strategies/_report.html`` says of ``run``, which is done."""
    metrics = Metrics.from_json(run.metrics or {})
    currency = run.instrument.quote
    return {
        "run": run,
        "shared": shared,
        "currency": currency,
        "metrics": metrics,
        "headline": headline(metrics, run, currency),
        "groups": groups(metrics, currency),
        "warnings": assumptions.warnings(run),
        "assumptions": [(title, told) for title, told in assumptions.sentences(run, currency) if told],
        "made_of": _made_of(metrics),
        "heat": heat_map(metrics),
        "months": [str(name).capitalize() for _number, name in sorted(MONTHS_AP.items())],
        "distribution": distribution(metrics),
        "regimes": regimes(metrics, currency),
        "regime_words": [str(words) for _label, words in sorted(REGIMES.items())],
        "regime_columns": [_(METRICS[key].label) for key in REGIME_COLUMNS],
        "sensitivity": sensitivity(run, currency),
        "variant_columns": [_(METRICS[key].label) for key in VARIANT_COLUMNS],
        "drawdowns": drawdowns(metrics),
        "data": chart_data(run, metrics, shared=shared),
        "timings": sum(value for value in run.timings.values() if isinstance(value, (int, float))),
        "bars_text": bars_text(run.bars or 0),
    }


def _made_of(metrics: Metrics) -> str:
    sampling = metrics.sampling
    told = ngettext("From %(count)s day of results.", "From %(count)s days of results.", sampling.days) % {
        "count": written(sampling.days, 0)
    }
    if metrics.intervals:
        told += " " + _("Intervals hold 95 %% of %(count)s resamples of them.") % {"count": written(sampling.resamples, 0)}
    if sampling.under_a_year:
        told += " " + _("The run is under a year long: nothing was compounded to a year.")
    return told


def chart_data(run: Run, metrics: Metrics, *, shared: bool) -> dict[str, Any]:
    """What the scripts of the report draw."""
    base = reverse("strategies:shared", args=[run.share_token]) if shared else reverse("strategies:run", args=[run.public_id])
    trades = selectors.trades(run)
    names = (
        "instrument",
        "side",
        "entry_time",
        "exit_time",
        "entry_price",
        "exit_price",
        "pnl",
        "open",
        "entry_bar",
        "exit_bar",
    )
    columns = {name: trades[name].tolist() for name in names}
    return {
        "points": selectors.points(run, POINTS),
        "cash": metrics.sampling.start_cash,
        "currency": run.instrument.quote,
        "timeframe": run.timeframe,
        "bars": run.bars,
        "bars_url": f"{base}bars/",
        "regimes": {int(label): str(words) for label, words in REGIMES.items()} if metrics.regimes else None,
        "trades": columns,
        "legs": [
            {
                "symbol": one.symbol, "ref": one.ref, "price_decimals": decimals_of(one.tick_size),
                "tick_size": float(one.tick_size),
            }
            for one in run.instruments
        ],
    }  # fmt: skip


# -- tables and drawings ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    text: str
    tone: str = ""
    title: str = ""


def heat_map(metrics: Metrics) -> list[dict[str, Any]]:
    """A row for each year, the newest first: twelve months, and the year."""
    years = {row.year: row.value for row in metrics.years}
    months = {(row.year, row.month): row.value for row in metrics.months}
    return [
        {
            "year": year,
            "months": [_heat(months.get((year, month)), str(MONTHS_AP[month]).capitalize()) for month in range(1, 13)],
            "whole": _heat(years[year], str(year)),
        }
        for year in sorted(years, reverse=True)
    ]


def _heat(value: float | None, title: str) -> Cell:
    if value is None:
        return Cell("", "", title)
    shade = sum(abs(value) > limit for limit in SHADES)
    tone = f"heat-up-{shade}" if value > 0 else f"heat-down-{shade}" if value < 0 else "heat-none"
    return Cell(written(value * 100, 1, signed=True), tone, title)


def distribution(metrics: Metrics) -> dict[str, Any] | None:
    """Bars of the histogram in a box of 600 by 180, with the labels of its ends and its quantiles."""
    counts, edges = metrics.distribution.counts, metrics.distribution.edges
    if not counts or sum(counts) < 2:
        return None
    most, wide = max(counts), WIDTH / len(counts)
    bars = [
        {
            "x": f"{place * wide + 0.5:.2f}", "width": f"{max(wide - 1, 0.5):.2f}",
            "y": f"{HEIGHT - HEIGHT * count / most:.2f}", "height": f"{HEIGHT * count / most:.2f}",
            "tone": "down" if edges[place] < 0 else "up",
            "title": _("%(low)s to %(high)s: %(days)s") % {
                "low": f"{written(edges[place] * 100, 2, signed=True)} %",
                "high": f"{written(edges[place + 1] * 100, 2, signed=True)} %",
                "days": ngettext("%(count)s day", "%(count)s days", count) % {"count": written(count, 0)},
            },
        }
        for place, count in enumerate(counts) if count
    ]  # fmt: skip
    share = -edges[0] / (edges[-1] - edges[0])
    quantiles = metrics.distribution.quantiles
    return {
        "bars": bars,
        "zero": f"{WIDTH * share:.2f}",
        "low": f"{written(edges[0] * 100, 1, signed=True)}\u00a0%",
        "high": f"{written(edges[-1] * 100, 1, signed=True)}\u00a0%",
        "quantiles": [
            (name, f"{written(value * 100, 2, signed=True)}\u00a0%")
            for name, value in zip(("1 %", "5 %", "25 %", "50 %", "75 %", "95 %", "99 %"), quantiles, strict=True)
        ],
    }


def regimes(metrics: Metrics, currency: str) -> list[dict[str, Any]]:
    return [
        {
            "label": str(REGIMES.get(Regime(row.label), row.label)),
            "share": share_text(row.share, 1),
            "trades": written(row.trades, 0),
            "cells": [
                Cell(metric_text(METRICS[key], getattr(row, key), currency), metric_tone(METRICS[key], getattr(row, key)))
                for key in REGIME_COLUMNS
            ],
        }
        for row in metrics.regimes
    ]


def sensitivity(run: Run, currency: str) -> list[dict[str, Any]]:
    """The run as asked and under worse assumptions; ``gone`` says that a profit became a loss."""
    variants = selectors.sensitivity(run)
    asked = variants[0]["numbers"].get("total_return") if variants else None
    rows = []
    for variant in variants:
        numbers = variant["numbers"]
        now = numbers.get("total_return")
        rows.append(
            {
                "label": str(VARIANTS.get(variant["name"], variant["name"])),
                "gone": asked is not None and now is not None and asked > 0 >= now,
                "cells": [
                    Cell(metric_text(METRICS[key], numbers.get(key), currency), metric_tone(METRICS[key], numbers.get(key)))
                    for key in VARIANT_COLUMNS
                ],
            }
        )
    return rows


def drawdowns(metrics: Metrics) -> list[dict[str, str]]:
    return [
        {
            "depth": f"{written(row.depth * 100, 2, signed=True)}\u00a0%",
            "peak": day_of(row.peak_time),
            "trough": day_of(row.trough_time),
            "recovery": day_of(row.recovery_time) if row.recovery_time is not None else _("not yet"),
            "length": duration(row.length),
        }
        for row in sorted(metrics.drawdowns, key=lambda row: row.depth)[:DRAWDOWNS]
    ]
