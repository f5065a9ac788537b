"""What the page of a finished study shows, made from what the study stored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clusterx.templatetags.figures import MISSING
from strategies import selectors
from strategies.contract import Parameter
from strategies.forms import PARAMETER_PREFIX
from strategies.metrics.curve import below_peak
from strategies.models import Study
from strategies.views import studies_holding as holding
from strategies.views import studies_words as words
from strategies.views.assumptions import costs_said
from strategies.views.words import day_of, share_text, written

POINTS: Final = 1_500
AT_EDGE: Final = 0.02  # of a range without steps
MOST_CELLS: Final = 64  # in a line of a map: as many as a map of two parameters has
Known = Mapping[str, Parameter]


def context(study: Study) -> dict[str, Any]:
    """Everything that ``strategies/_study_report.html`` says of ``study``, which is done."""
    known, report = words.parameters_of(study), study.report or {}
    curve = selectors.study_curve(study, POINTS)
    held = holding.held(study, curve["time"])
    final = report.get("final_equity") if study.plan else (study.best or {}).get("final_equity")
    compared = holding.compared(study, held, final)
    told: dict[str, Any] = {
        "best": described(study, known, study.best or {}),
        "evidence": words.evidence_of(study, selectors.study_evidence(study), beaten=compared.get("beaten", True)),
        "held": compared,
        "walks": study.plan is not None,
        "data": _data(study, known, report, curve, [] if held is None else held.tolist()),
        "stopped_early": _stopped_early(study),
    }
    if study.plan is None:
        steady = report.get("stability", {})
        plateau = described(study, known, steady.get("plateau") or {})
        apart = plateau and plateau["values"] != told["best"]["values"]
        return told | {
            "stability": words.stability_of(study, steady, edges_of(study, known)), "plateau": plateau if apart else None,
            "searched": [words.labels_of(known, name) for name in searched(study)],
        }  # fmt: skip
    windows = report.get("windows", [])
    return told | {
        "windows": [_window(study, known, place, one) for place, one in enumerate(windows)],
        "drift": [_drift(known, one, len(windows)) for one in report.get("drift", [])],
        "efficiency": words.efficiency_of(report.get("efficiency")),
        "total": _gain(study, report.get("final_equity")),
        "won": sum(one["test_return"] > 0 for one in windows),
    }


def edges_of(study: Study, known: Known) -> list[str]:
    """Searched parameters whose best value is the first or the last of its range, though others may be declared beyond it."""
    values, found = (study.best or {}).get("values", {}), []
    for one in study.space["dimensions"]:
        name = one["name"]
        if one["kind"] == "choice" or name not in values or one["maximum"] <= one["minimum"]:
            continue
        near = (one["step"] or (1 if one["kind"] == "int" else (one["maximum"] - one["minimum"]) * AT_EDGE)) * (1 - 1e-9)
        declared = known.get(name)
        least = declared.minimum if declared and declared.minimum is not None else -math.inf
        most = declared.maximum if declared and declared.maximum is not None else math.inf
        low = values[name] - one["minimum"] < near and one["minimum"] > least
        if low or (one["maximum"] - values[name] < near and one["maximum"] < most):
            facts = {"name": words.labels_of(known, name), "value": words.value_text(known, name, values[name])}
            facts |= {"first": f"{one['minimum']:g}", "last": f"{one['maximum']:g}"}
            found.append(_("%(name)s %(value)s is at the edge of the searched range, %(first)s to %(last)s") % facts)
    return found


def searched(study: Study) -> list[str]:
    return [one["name"] for one in study.space["dimensions"]]


def described(study: Study, known: Known, one: Mapping[str, Any]) -> dict[str, Any]:
    """A trial: its values by label, its numbers, and the address of the run form that has them."""
    if not one:
        return {}
    final = one.get("final_equity")
    return {
        "values": _values(known, one["values"], searched(study)),
        "held": _values(known, one["values"], [name for name in known if name not in searched(study)]),
        "score": words.score_text(study.objective, one.get("score")),
        "gain": _gain(study, final),
        "drawdown": words.percent_text(one.get("max_drawdown")),
        "backtest": backtest_url(study, one["values"]),
    }  # fmt: skip


def _values(known: Known, values: Mapping[str, Any], names: Sequence[str]) -> list[dict[str, str]]:
    return [
        {"label": words.labels_of(known, name), "text": words.value_text(known, name, values[name])}
        for name in names if name in values
    ]  # fmt: skip


def backtest_url(study: Study, values: Mapping[str, Any]) -> str:
    """The run form filled in with the study's conditions and ``values``."""
    given = {PARAMETER_PREFIX + name: value for name, value in values.items()}
    return f"{reverse('strategies:run_new')}?{urlencode({'study': str(study.public_id), **given})}"


def facts_of(study: Study) -> list[tuple[str, str]]:
    """What was asked, in a few words each."""
    kind = study.get_kind_display()
    if study.plan:
        mode = _("anchored") if study.plan["mode"] == "anchored" else _("rolling")
        count = ngettext("%(count)s window", "%(count)s windows", study.plan["windows"]) % {"count": study.plan["windows"]}
        kind = f"{count}, {mode}, {_method(study.method)}"
    return [
        (_("Method"), str(kind)),
        (_("Objective"), str(words.OBJECTIVES.get(study.objective, study.objective))),
        (_("Span"), f"{day_of(study.start.timestamp())} – {day_of(study.end.timestamp())}"),
    ]


def _method(method: str) -> str:
    return str(dict(Study.Kind.choices).get(method, method))


def ranges_said(study: Study) -> list[dict[str, str]]:
    """What was searched of each parameter, and what was held."""
    known = words.parameters_of(study)
    rows = []
    for one in study.space["dimensions"]:
        if one["kind"] == "choice":
            text = ", ".join(words.value_text(known, one["name"], value) for value in one["choices"])
        else:
            step = " · " + _("step %(step)s") % {"step": f"{one['step']:g}"} if one["step"] else ""
            text = f"{one['minimum']:g} … {one['maximum']:g}{step}"
        rows.append({"label": words.labels_of(known, one["name"]), "text": text})
    held = study.space["fixed"].items()
    return rows + [
        {"label": words.labels_of(known, name), "text": words.value_text(known, name, value), "held": "yes"}
        for name, value in held
    ]


def assumed(study: Study) -> list[str]:
    """Costs and money as sentences, and the rules between parameters."""
    told = costs_said(study.conditions, study.instrument.quote)
    return told + [_("Only where %(rule)s.") % {"rule": rule} for rule in study.space["constraints"]]


def _stopped_early(study: Study) -> str:
    asked = study.budget * (study.plan["windows"] if study.plan else 1)
    if study.trials_done >= asked or not study.stopping.get("patience"):
        return ""
    return _("Stopped early: %(patience)s trials in a row were no better.") % {
        "patience": written(study.stopping["patience"], 0)
    }


def _gain(study: Study, final: float | None) -> dict[str, str]:
    if final is None:
        return {"text": MISSING, "tone": ""}
    gain = final / float(study.conditions["cash"]) - 1
    return {"text": words.percent_text(gain), "tone": "up" if gain > 0 else "down" if gain < 0 else ""}


# -- walk-forward -----------------------------------------------------------------------------------------------------------


def _window(study: Study, known: Known, place: int, one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "number": place + 1,
        "train": f"{day_of(one['train_from'])} – {day_of(one['test_from'])}",
        "test": f"{day_of(one['test_from'])} – {day_of(one['test_to'])}",
        "values": _values(known, one["values"], searched(study)),
        "score": words.score_text(study.objective, one["score"]),
        "inside": _cell(one["train_return"]),
        "outside": _cell(one["test_return"]),
        "drawdown": words.percent_text(one["test_drawdown"]),
        "trades": written(one["test_trades"], 0),
        "backtest": backtest_url(study, one["values"]),
    }  # fmt: skip


def _cell(value: float) -> dict[str, str]:
    return {"text": words.percent_text(value), "tone": "up" if value > 0 else "down" if value < 0 else ""}


def _drift(known: Known, one: Mapping[str, Any], windows: int) -> dict[str, Any]:
    word, kind = words.drift_word(one["mean_step"], windows)
    return {
        "label": words.labels_of(known, one["name"]),
        "chosen": [words.value_text(known, one["name"], value) for value in one["chosen"]],
        "step": share_text(one["mean_step"], 0),
        "changed": share_text(one["changed"], 0),
        "word": word,
        "kind": kind,
    }


# -- what the scripts draw ---------------------------------------------------------------------------------------------------


def _data(study: Study, known: Known, report: Mapping[str, Any], curve: Mapping[str, Any], held: list[float]) -> dict[str, Any]:
    cash = float(study.conditions["cash"])
    below = below_peak(np.asarray(curve["equity"]), cash).tolist()
    best, plateau = (study.best or {}).get("values", {}), report.get("stability", {}).get("plateau", {})
    return {
        "points": {"time": curve["time"], "equity": curve["equity"], "drawdown": below, "benchmark": held},
        "starts": curve["starts"],
        "cash": cash,
        "currency": study.instrument.quote,
        # In sample the curve has a point a day, whatever the bars.
        "timeframe": study.timeframe if study.plan else "1d",
        "maps": [_map(known, one) for one in report.get("heat_maps", [])] or _line(study, known),
        "best": best,
        "plateau": plateau.get("values", {}),
        "objective": study.objective,
        "backtest": backtest_url(study, {}),
    }


def _line(study: Study, known: Known) -> list[dict[str, Any]]:
    """Where one parameter was searched: a map of one line, from the trials themselves; none where there are too many values."""
    from strategies.services.trying import trials_of

    names = searched(study)
    if study.plan or len(names) != 1:
        return []
    trials = trials_of(study)
    scores: dict[Any, list[float]] = {}
    for point, score in zip(trials.points, trials.score.tolist(), strict=True):
        scores.setdefault(point[names[0]], []).append(score)
    if len(scores) > MOST_CELLS:
        return []
    values = sorted(scores)
    made = _map(known, {
        "x": {"name": names[0], "values": values}, "y": {"name": "", "values": [0]},
        "mean": [[sum(scores[value]) / len(scores[value]) for value in values]],
        "best": [[max(scores[value]) for value in values]],
        "count": [[len(scores[value]) for value in values]],
    })  # fmt: skip
    made["y"]["texts"] = [""]
    return [made]


def _map(known: Known, one: Mapping[str, Any]) -> dict[str, Any]:
    axes = {
        side: {
            "name": one[side]["name"],
            "label": words.labels_of(known, one[side]["name"]),
            "values": one[side]["values"],
            "texts": [words.value_text(known, one[side]["name"], value) for value in one[side]["values"]],
        }
        for side in ("x", "y")
    }
    return {**axes, "mean": one["mean"], "best": one["best"], "count": one["count"]}
