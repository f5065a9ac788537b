"""The part of a report that asks whether it was luck: a verdict for each test, in words, with its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from strategies import selectors
from strategies.models import Appraisal, Run
from strategies.services import appraisals
from strategies.views.words import FAILURES, share_text, written
from strategies.wording import UNTESTED

WIDTH, HEIGHT = 600, 180
SURE, DOUBTFUL = 0.05, 0.2  # p-values up to which timing is better than chance, or perhaps is
KEPT: Final = (0.4, 0.7)
LOSSES: Final = (0.25, 0.5)
ROOM: Final = 10.0  # times the capital of the run

NAMES: Final = {
    "evidence": gettext_lazy("Sharpe ratio against luck"),
    "chance": gettext_lazy("Entries at random"),
    "paths": gettext_lazy("Other trades of the same kind"),
    "order": gettext_lazy("The same trades in another order"),
    "markets": gettext_lazy("Other markets of the same bars"),
    "noise": gettext_lazy("Prices a little off"),
    "capacity": gettext_lazy("Capital it can carry"),
}
REASONS: Final = {
    appraisals.CHANGED: gettext_lazy(
        "The run no longer comes out as it did, because code changed. Run it again and look there."
    ),
    "internal": gettext_lazy("Something broke on our side; it was written down."),
}


@dataclass(frozen=True)
class Row:
    """One test: what came out, in a sentence, and its verdict; ``tone`` is that of a badge."""

    name: str
    told: str
    verdict: str
    tone: str


def context(run: Run, *, shared: bool) -> dict[str, Any]:
    """Everything that ``strategies/_robustness.html`` says of ``run``, which is done."""
    found, trials = selectors.evidence_of(run)
    tests = selectors.appraisal_of(run)
    told = tests.told["tests"] if tests is not None and tests.told else {}
    missing = tests.told["missing"] if tests is not None and tests.told else {}
    currency = run.instrument.quote
    rows = [_evidence(found, trials)]
    makers: dict[str, Callable[[Mapping[str, Any]], list[Row]]] = {
        "chance": _chance,
        "paths": _paths,
        "markets": _markets,
        "noise": _noise,
        "capacity": lambda test: _capacity(test, float(run.conditions["cash"]), currency),
    }
    for name, made in makers.items():
        if name in told:
            rows += made(told[name])
        elif name in missing:
            rows.append(Row(str(NAMES[name]), str(UNTESTED.get(missing[name], missing[name])), "–", ""))
    return {
        "run": run,
        "shared": shared,
        "rows": rows,
        "waits": tests is None,
        "failed": _failure(tests),
        "fan": fan(told["paths"], float(run.conditions["cash"]), currency) if "paths" in told else None,
    }


def _failure(tests: Appraisal | None) -> str:
    if tests is None or not tests.reason:
        return ""
    return str(REASONS.get(tests.reason) or FAILURES.get(tests.reason) or tests.reason)


def _evidence(found: Mapping[str, Any] | None, trials: int) -> Row:
    name = str(NAMES["evidence"])
    if found is None:
        return Row(name, _("There are too few days on which anything happened."), "–", "")
    told = ngettext(
        "After %(count)s try it is %(deflated)s sure that the Sharpe ratio is above what luck gives.",
        "After %(count)s tries it is %(deflated)s sure that the Sharpe ratio is above what luck gives the best of them.",
        trials,
    ) % {"count": written(trials, 0), "deflated": share_text(found["deflated"], 1)}
    told += " " + _("Without counting tries: %(alone)s.") % {"alone": share_text(found["probabilistic"], 1)}
    if found["badge"] == "significant":
        return Row(name, told, _("unlikely to be luck"), "good")
    if found["badge"] == "explained-by-trials":
        return Row(name, told, _("explained by trying often"), "warn")
    days, needed = found["observations"], found["minimum_track_record"]
    if needed is not None and needed > days:
        more = int(needed - days) + 1
        told += " " + ngettext(
            "If it goes on like this, %(count)s more day would show something.",
            "If it goes on like this, %(count)s more days would show something.",
            more,
        ) % {"count": written(more, 0)}  # fmt: skip
    return Row(name, told, _("nothing is shown"), "bad")


def _chance(test: Mapping[str, Any]) -> list[Row]:
    told = _(
        "%(count)s of %(runs)s times, as many trades of the same lengths did as well at random places (p = %(p)s)."
    ) % {"count": written(test["as_good"], 0), "runs": written(test["runs"], 0), "p": written(test["p"], 3)}  # fmt: skip
    p = test["p"]
    verdict, tone = (
        (_("timing beats chance"), "good") if p < SURE
        else (_("timing hardly beats chance"), "warn") if p < DOUBTFUL
        else (_("timing is no better than chance"), "bad")
    )  # fmt: skip
    return [Row(str(NAMES["chance"]), told, verdict, tone)]


def _paths(test: Mapping[str, Any]) -> list[Row]:
    depth, end = test["reordered"]["drawdown"], test["resampled"]
    ordered = _("The deepest drawdown is %(half)s or more in half of the orders, and %(worst)s or more in one of twenty.") % {
        "half": share_text(depth["0.5"], 1), "worst": share_text(depth["0.95"], 1),
    }  # fmt: skip
    drawn = _("%(loss)s of %(runs)s accounts ended below their start; %(ruin)s lost half of it on the way.") % {
        "loss": share_text(end["loss"], 1), "runs": written(test["runs"], 0), "ruin": share_text(test["ruin"], 1),
    }  # fmt: skip
    verdict, tone = _losses(end["loss"])
    return [
        Row(str(NAMES["order"]), ordered, _("what to expect"), "info"),
        Row(str(NAMES["paths"]), drawn, verdict, tone),
    ]


def _markets(test: Mapping[str, Any]) -> list[Row]:
    told = _(
        "On %(runs)s markets made of blocks of these bars it lost in %(loss)s; "
        "the middle result is %(median)s, nine of ten lie between %(low)s and %(high)s."
    ) % {
        "runs": written(test["runs"], 0), "loss": share_text(test["loss"], 1),
        **{name: _signed(test["return"][name]) for name in ("median", "low", "high")},
    }  # fmt: skip
    return [Row(str(NAMES["markets"]), told, *_losses(test["loss"]))]


def _losses(share: float) -> tuple[str, str]:
    few, many = LOSSES
    if share < few:
        return _("mostly gains"), "good"
    return (_("often losses"), "warn") if share < many else (_("mostly losses"), "bad")


def _noise(test: Mapping[str, Any]) -> list[Row]:
    kept = test["kept"]
    told = _(
        "With noise of a twentieth of a bar's range on every price, %(runs)s times, "
        "the middle result is %(median)s instead of %(score)s."
    ) % {
        "runs": written(test["runs"], 0), "median": _signed(test["median"]), "score": _signed(test["score"]),
    }  # fmt: skip
    if kept is None:
        return [Row(str(NAMES["noise"]), told, _("no profit to lose"), "")]
    little, most = KEPT
    verdict, tone = (
        (_("the profit stays"), "good") if kept >= most
        else (_("much of the profit goes"), "warn") if kept >= little
        else (_("the profit goes"), "bad")
    )  # fmt: skip
    return [Row(str(NAMES["noise"]), told, verdict, tone)]


def _capacity(test: Mapping[str, Any], cash: float, currency: str) -> list[Row]:
    name, estimate = str(NAMES["capacity"]), test["estimate"]
    if estimate is None:
        return [Row(name, _("Nothing of what it traded was large beside the market."), _("no limit seen"), "good")]
    if estimate <= 0:
        return [
            Row(name, _("It earned nothing, so there is nothing that more capital would carry."), _("nothing to carry"), "")
        ]
    told = _("Beyond about %(estimate)s its own orders would take half of the profit or a twentieth of the volume.") % {
        "estimate": f"{written(estimate, 0)}\u00a0{currency}"
    }
    if estimate < cash:
        return [Row(name, told, _("less than it was tested with"), "bad")]
    return [Row(name, told, _("little room"), "warn") if estimate < ROOM * cash else Row(name, told, _("room to grow"), "good")]


def _signed(value: float) -> str:
    return f"{written(value * 100, 1, signed=True)}\u00a0%"


# -- the fan ----------------------------------------------------------------------------------------------------------


def fan(test: Mapping[str, Any], cash: float, currency: str) -> dict[str, Any]:
    """Bands of the accounts that other trades of the same kind would have made, as outlines for an SVG."""
    lines: dict[str, Sequence[float]] = test["fan"]
    low, high = min(min(lines["0.01"]), cash), max(max(lines["0.99"]), cash)
    spread = (high - low) or 1.0

    def points(values: Sequence[float]) -> list[str]:
        steps = max(1, len(values) - 1)
        return [f"{WIDTH * i / steps:.1f},{HEIGHT - HEIGHT * (v - low) / spread:.1f}" for i, v in enumerate(values)]

    bands = [
        " ".join(points(lines[a]) + points(lines[b])[::-1]) for a, b in (("0.01", "0.99"), ("0.05", "0.95"), ("0.25", "0.75"))
    ]
    ends = [(label, f"{written(lines[q][-1], 0)}\u00a0{currency}") for q, label in (
        ("0.05", _("one of twenty below")), ("0.5", _("in the middle")), ("0.95", _("one of twenty above")),
    )]  # fmt: skip
    return {
        "bands": bands,
        "middle": " ".join(points(lines["0.5"])),
        "start": f"{HEIGHT - HEIGHT * (cash - low) / spread:.1f}",
        "ends": ends,
        "trades": written(test["trades"], 0),
        "low": f"{written(low, 0)}\u00a0{currency}",
        "high": f"{written(high, 0)}\u00a0{currency}",
    }
