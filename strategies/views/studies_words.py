"""How a study reads: what it was, what its evidence says, and whether its best values stand on a plateau."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from clusterx.templatetags.figures import MISSING
from strategies import library, wording
from strategies.contract import Parameter
from strategies.models import Study
from strategies.services.subjects import FromDeclaration
from strategies.views.words import FAILURES, share_text, written
from strategies.wording import said

BADGES: Final[dict[str, tuple[Any, str, Any]]] = {
    "significant": (_("significant"), "good", _("So good a result is unlikely by luck, all trials on this strategy counted.")),
    "explained-by-trials": (
        _("explained by the trials"), "warn",
        _("On its own it would look good, but the best of so many trials looks as good without any merit."),
    ),
    "not-shown": (_("not shown"), "bad", _("Too little, over too short a time: luck alone makes numbers like these.")),
}  # fmt: skip
LIKELY: Final = 0.5  # a probability of overfitting above it: choosing is worse than picking at random
OVERFITTED: Final = _(
    "That this earns something is unlikely by luck; which values earn most is not: what was best in one half of the days was"
    " mostly below the middle in the other. Do not trust the best values more than the others."
)
TONES: Final = {"done": "good", "failed": "bad", "cancelled": "warn", "paused": "warn"}
OBJECTIVES: Final = {"sharpe": _("Sharpe ratio"), "return": _("Total return"), "recovery": _("Return over drawdown")}
STUDY_FAILURES: Final = {
    "invalid-plan": _("The bars of this span are too few for these windows. Take fewer windows or a longer span."),
    "no-result": _("No trial came to a result."),
}
PLATEAU, SLOPE = 0.8, 0.5
STEADY, RANDOM = 0.1, 0.25


def title_of(study: Study) -> str:
    """The strategy's name in the page's language."""
    if study.version is None and study.library in library.CATALOGUE:
        return said(library.CATALOGUE[study.library].label)
    return study.subject_label


def failure_of(study: Study) -> str:
    return str(STUDY_FAILURES.get(study.reason) or FAILURES.get(study.reason) or _("The study could not be done."))


def parameters_of(study: Study) -> dict[str, Parameter]:
    """What the strategy of a study declares, by name; empty where it is not known any more."""
    if study.version is None:
        found = library.CATALOGUE.get(study.library)
        return {one.name: one for one in found.parameters} if found else {}
    inspection = getattr(study.version, "inspection", None)
    if inspection is None or not inspection.declaration:
        return {}
    return {one.name: one for one in FromDeclaration(inspection.declaration).parameters}


def labels_of(parameters: Mapping[str, Parameter], name: str) -> str:
    return said(parameters[name].label) if name in parameters else name


def value_text(parameters: Mapping[str, Parameter], name: str, value: Any) -> str:
    """A parameter's value as people read it."""
    if isinstance(value, str):
        offered = dict(wording.choices(parameters[name].choices)) if name in parameters else {}
        return offered.get(value, value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def score_text(objective: str, score: float | None) -> str:
    if score is None:
        return MISSING
    if objective == "return":
        return f"{written(score * 100, 2, signed=True)}\u00a0%"
    return written(score, 2)


def percent_text(value: float | None, decimals: int = 2) -> str:
    return MISSING if value is None else f"{written(value * 100, decimals, signed=True)}\u00a0%"


# -- evidence -------------------------------------------------------------------------------------------------------------


def badge_of(told: Mapping[str, Any]) -> tuple[Any, str, Any] | None:
    """Word, tone and sentence of what evidence says; None where it has no badge. What is overfitted is not called good."""
    found = BADGES.get(told.get("badge") or "")
    if found is None or found[1] != "good" or (told.get("pbo") or 0.0) <= LIKELY:
        return found
    return found[0], "warn", OVERFITTED


def evidence_of(study: Study, told: Mapping[str, Any], *, beaten: bool = True) -> dict[str, Any]:
    """The badge with its sentence, and the numbers behind it; where one is missing, why.

    ``beaten`` is whether the study's best made more than buying and holding.
    """
    missing = told.get("missing", {})
    word, kind, sentence = badge_of(told) or (_("not known"), "", _lacks_returns())
    return {
        "word": word, "kind": "warn" if kind == "good" and not beaten else kind, "sentence": sentence,
        "rows": _rows(study, told, missing),
    }  # fmt: skip


def _rows(study: Study, told: Mapping[str, Any], missing: Mapping[str, str]) -> list[dict[str, str]]:
    judged = "" if told.get("badge") else str(_lacks_returns())
    trials, ideas = int(told.get("trials", 0)), told.get("effective_trials")
    return [
        {
            "label": gettext("Deflated Sharpe ratio"), "value": _chance(told.get("deflated")),
            "note": judged or gettext("How likely there is merit, all trials counted; significance asks for 95 %."),
        },
        {
            "label": gettext("Without counting trials"), "value": _chance(told.get("probabilistic")),
            "note": judged or gettext("The same if this had been the only trial."),
        },
        {
            "label": gettext("Probability of overfitting"), "value": _chance(told.get("pbo")),
            "note": _overfitting(study, told, missing),
        },
        {
            "label": gettext("Trials on this strategy"), "value": written(trials, 0),
            "note": _trials(study, trials, ideas),
        },
    ]  # fmt: skip


def _chance(value: float | None) -> str:
    if value is None:
        return MISSING
    if 0.9995 <= value < 1:
        return f"> {written(99.9, 1)}\u00a0%"  # nothing is certain
    return f"{written(value * 100, 1)}\u00a0%"


def _trials(study: Study, trials: int, ideas: float | None) -> str:
    told = gettext("%(count)s of them in this study") % {"count": written(study.trials_done, 0)}
    if ideas is not None and ideas < trials - 0.5:
        told += "; " + gettext("all of them are about %(count)s different ideas") % {"count": written(ideas, 0)}
    return told + "."


def _overfitting(study: Study, told: Mapping[str, Any], missing: Mapping[str, str]) -> str:
    if told.get("pbo") is not None:
        if told["pbo"] < 0.2:
            text = gettext("The winner of one half of the days stays good in the other.")
        elif told["pbo"] <= LIKELY:
            text = gettext("How often the winner of one half of the days is below the middle in the other.")
        else:
            text = gettext(
                "Mostly the winner of one half of the days is below the middle in the other: choosing helps nothing."
            )
        loss = gettext("It loses money there in %(share)s of the cases.") % {"share": share_text(told["pbo_loss"], 0)}
        return f"{text} {loss}"
    if study.kind == Study.Kind.WALK_FORWARD:
        return gettext("It is told of one search; a walk-forward is judged on bars that nothing was chosen on.")
    days = missing.get("pbo", "").split(" ")[0]
    if days.isdigit():
        return gettext("%(days)s days are too few: 16 are needed.") % {"days": days}
    return gettext("There are no two trials to compare.")


def _lacks_returns() -> Any:
    return _("The daily returns are too few, or do not move, so that they have no Sharpe ratio to judge.")


# -- where the best stands ------------------------------------------------------------------------------------------------


def stability_of(study: Study, told: Mapping[str, Any], edges: Sequence[str] = ()) -> dict[str, str]:
    """Whether the best is a plateau or a peak: a word, its tone, and sentences.

    ``edges`` says of which parameters it has the first or last value: what lies beyond is not known, so nothing is praised.
    """
    found = _stability(study, told)
    if not edges:
        return found
    wider = gettext("%(where)s: search wider.") % {"where": "; ".join(edges)}
    if found["kind"] != "good":
        return found | {"text": f"{found['text']} {wider}"}
    return {"word": gettext("at the edge of the range"), "kind": "warn", "text": found["text"].removesuffix(_works()) + wider}


def _works() -> str:
    return gettext("The values may be a little off and it still works.")


def _stability(study: Study, told: Mapping[str, Any]) -> dict[str, str]:
    kept, near = told.get("kept"), int(told.get("neighbours") or 0)
    if not near:
        text = gettext("Nothing was tried beside the best: a finer grid would tell.")
        return {"word": gettext("alone"), "kind": "warn", "text": text}
    count = ngettext("%(count)s neighbour", "%(count)s neighbours", near) % {"count": written(near, 0)}
    if kept is None:
        text = gettext("The best score is not above 0, so there is nothing that its %(neighbours)s could keep.")
        return {"word": gettext("no merit"), "kind": "bad", "text": text % {"neighbours": count}}
    facts = {
        "share": share_text(max(kept, 0.0), 0), "neighbours": count, "close": share_text(told.get("close") or 0.0, 0),
        "worst": score_text(study.objective, told.get("worst")),
    }  # fmt: skip
    text = gettext("One step away the score keeps %(share)s on average (%(neighbours)s).") + " "
    text += gettext("Of them %(close)s keep 80 %% or more; the worst scores %(worst)s.") + " "
    if kept >= PLATEAU:
        word, kind, more = gettext("plateau"), "good", _works()
    elif kept >= SLOPE:
        word, kind, more = gettext("slope"), "warn", gettext("It depends on hitting the values well.")
    else:
        word, kind, more = gettext("peak"), "bad", gettext("A lone peak among bad neighbours is what luck looks like.")
    return {"word": word, "kind": kind, "text": text % facts + more}


def efficiency_of(value: float | None) -> dict[str, str]:
    """Walk-forward efficiency with what it means."""
    if value is None:
        return {
            "value": MISSING,
            "tone": "",
            "text": gettext("Training made no profit, or an account was lost: there is no rate to keep."),
        }
    shown = f"{written(value * 100, 0)}\u00a0%"
    if value >= 1:
        text = gettext("Out of sample it earned faster than in training: luck, or a friendlier market.")
    elif value >= 0.5:
        text = gettext("Half of the rate in training, or more, was kept out of sample: the choice carries over.")
    elif value > 0:
        text = gettext("Less than half of the rate in training was kept out of sample: much of it was fitted.")
    else:
        text = gettext("What was chosen in training lost out of sample.")
    return {"value": shown, "tone": "up" if value >= 0.5 else "down" if value <= 0 else "", "text": text}


def drift_word(step: float, windows: int) -> tuple[str, str]:
    """How far a parameter wanders between windows: a word and its tone."""
    if windows < 2:
        return MISSING, ""
    if step < STEADY:
        return gettext("steady"), "good"
    return (gettext("wanders"), "warn") if step < RANDOM else (gettext("as if at random"), "bad")
