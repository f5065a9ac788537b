"""Runs as lists and comparisons show them: a row for each, with its headline and the first of its parameters. And how lists
are narrowed."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from clusterx.templatetags.figures import MISSING
from strategies import library, wording
from strategies.metrics.catalogue import CATALOGUE, METRICS
from strategies.metrics.result import Metrics
from strategies.models import Run, Study
from strategies.views.people import uuid_of
from strategies.views.words import metric_text, metric_tone

LISTED: Final = 3
Asked = TypeVar("Asked", Run, Study)


def of_strategy(found: QuerySet[Asked], wanted: str) -> QuerySet[Asked]:
    """Those of one strategy: the name of a library strategy, or the public id of one's own; all of them for an empty text."""
    if not wanted:
        return found
    if wanted in library.CATALOGUE:
        return found.filter(library=wanted)
    own = uuid_of(wanted)
    return found.filter(version__strategy__public_id=own) if own else found.none()


def row(run: Run) -> dict[str, Any]:
    """A run as a row of a list: its headline, and the first of its parameters."""
    return {"run": run, "figures": list_figures(run), "parameters": named_parameters(run)[:LISTED]}


def named_parameters(run: Run) -> list[tuple[str, str]]:
    """Parameters as people read them, by the labels that the strategy declares."""
    declared = library.CATALOGUE.get(run.library)
    return wording.values(declared.parameters if declared is not None else (), run.values)


def list_figures(run: Run) -> dict[str, dict[str, str]]:
    """The headline of a run as lists and comparisons show it: text and tone by key."""
    currency = run.instrument.quote
    numbers = run.headline or {}
    return {
        key: {
            "text": metric_text(METRICS[key], numbers.get(key), currency),
            "tone": metric_tone(METRICS[key], numbers.get(key)),
        }
        for key in METRICS
        if key in numbers
    } or {"total_return": {"text": MISSING, "tone": ""}}


def compared(runs: list[Run]) -> list[dict[str, Any]]:
    """Rows of the comparison: each number with its value in every run, and which of them is best."""
    measured = [Metrics.from_json(one.metrics or {}) for one in runs]
    rows = []
    for metric in CATALOGUE:
        values = [getattr(one, metric.key) for one in measured]
        known = [value for value in values if value is not None]
        if not known:
            continue
        best = None
        if metric.better != "neither" and len(known) > 1 and min(known) < max(known):
            best = max(known) if metric.better == "higher" else min(known)
        cells = [
            {
                "text": metric_text(metric, value, run.instrument.quote), "tone": metric_tone(metric, value),
                "best": best is not None and value == best,
            }
            for run, value in zip(runs, values, strict=True)
        ]  # fmt: skip
        rows.append({"label": _(metric.label), "help": _(metric.formula), "group": _(metric.group), "cells": cells})
    return rows
