"""What the page of a version shows of its proof: each check, what failed and how to mend it, and on which bars it was asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from strategies.models import Inspection, UserStrategy, Version
from strategies.proof_wording import said
from strategies.proving.series import KINDS
from strategies.proving.verdict import CHECKS
from strategies.services.inspections import may_ask_again
from strategies.views.words import written

# In the sandbox every question has a process of its own, so these are not asked there.
APART: Final = ("prefix", "poison", "last-bar", "repeat", "history", "activity")
TITLES: Final = {
    "prefix": gettext_lazy("Prefix invariance"),
    "poison": gettext_lazy("Future poisoning"),
    "last-bar": gettext_lazy("Unfinished bar"),
    "repeat": gettext_lazy("Determinism"),
    "memory": gettext_lazy("No memory"),
    "hidden": gettext_lazy("No hidden bars"),
    "elsewhere": gettext_lazy("Anywhere the same"),
    "history": gettext_lazy("Warm-up"),
    "activity": gettext_lazy("It decides"),
}
_FUTURE: Final = gettext_lazy(
    "Let each decision use the bars up to its own and no others: shift by positive numbers, take rolling windows that end at "
    "their bar, and use a longer timeframe only after its bar has closed."
)
_CHANCE: Final = gettext_lazy("Give random numbers a fixed seed, and ask neither the clock nor anything else of the machine.")
_MEMORY: Final = gettext_lazy(
    "Keep nothing from one call to the next, and leave the bars as they are: compute from what is given."
)
MENDING: Final = {
    "prefix": _FUTURE,
    "poison": _FUTURE,
    "last-bar": _FUTURE,
    "repeat": _CHANCE,
    "elsewhere": _CHANCE,
    "memory": _MEMORY,
    "hidden": _MEMORY,
    "history": gettext_lazy("Let history(p) return as many bars as its indicators need, or more."),
    "activity": gettext_lazy(
        "Choose defaults with which it trades, and let it answer every span of bars, however short, within seconds."
    ),
}


def context(version: Version, lines: list[str]) -> dict[str, Any]:
    """Everything that ``strategies/_version_state.html`` says of a version and its proof."""
    inspection: Inspection | None = getattr(version, "inspection", None)
    proof = (inspection.proof if inspection else None) or {}
    marked = marks(inspection, proof)
    is_code = version.strategy.kind == UserStrategy.Kind.CODE
    return {
        "inspection": inspection,
        "is_code": is_code,
        "state": state_of(inspection),
        "again": inspection is not None and may_ask_again(inspection),
        "under_way": inspection is not None and not inspection.is_final,
        "checks": checks(proof) if proof else [],
        "expected": [{"name": name, "title": TITLES[name]} for name in (APART if is_code else (*APART, "memory", "hidden"))],
        "failures": [failure(one) for one in proof.get("failures", ())],
        "hints": [said(hint) for hint in proof.get("hints", ())],
        "summary": said(proof.get("summary", "")),
        "values": _values(proof.get("values", {})),
        "series": series(proof),
        "declared": proof.get("declared"),
        "lines": [{"number": number, "text": text, "why": marked.get(number)} for number, text in enumerate(lines, start=1)],
    }


def state_of(inspection: Inspection | None) -> str:
    if inspection is None or inspection.status == Inspection.Status.WAITING:
        return "reading"
    if inspection.status == Inspection.Status.FAILED:
        return "broken"
    if inspection.proved is None:
        return "proving"
    return "passed" if inspection.proved else "refused"


def marks(inspection: Inspection | None, proof: dict[str, Any]) -> dict[int, str]:
    """What is said of a line beside it, by its number."""
    found = {one["line"]: said(one.get("reason", "")) for one in proof.get("failures", ()) if one.get("line")}
    if inspection is not None and inspection.line:
        found[inspection.line] = inspection.message
    return found


def checks(proof: dict[str, Any]) -> list[dict[str, Any]]:
    """The checks that were made, and those that were not because one before had failed already."""
    made = {one["name"]: one for one in proof.get("checks", ())}
    rows = []
    for name, one in made.items():
        skipped = not one["count"] and one["passed"]
        rows.append(
            {
                "name": name,
                "title": TITLES.get(name, name),
                "asks": said(CHECKS.get(name, one.get("asks", ""))),
                "state": "skipped" if skipped else "passed" if one["passed"] else "failed",
                "count": "" if skipped else _questions(one["count"]),
                "note": said(one.get("note", "")),
                "failures": [failure(found) for found in proof.get("failures", ()) if found["check"] == name],
            }
        )
    order = {"failed": 0, "passed": 1, "skipped": 2}
    return sorted(rows, key=lambda row: order[row["state"]])


def failure(one: dict[str, Any]) -> dict[str, Any]:
    """A failure as it is told: what happened, the line that it probably comes from, and how to mend it."""
    message, reason = one.get("message"), one.get("reason", "")
    return {
        "check": one["check"],
        "message": said(message) if message else said(one["sentence"]),
        "line": one.get("line"),
        "reason": said(reason),
        "stopped": reason == "is where it stopped",
        "times": ngettext("%(count)s of the questions showed it.", "%(count)s of the questions showed it.", one["times"])
        % {"count": written(one["times"], 0)}
        if one.get("times", 1) > 1
        else "",
        "mending": MENDING.get(one["check"], ""),
    }


def series(proof: dict[str, Any]) -> list[dict[str, Any]]:
    """On which bars, and with which parameters, it was asked."""
    return [
        {
            "on": market(one["on"]),
            "values": _values(one.get("values", {})),
            "bars": written(one["bars"], 0),
            "first": datetime.fromisoformat(one["first"]),
            "last": datetime.fromisoformat(one["last"]),
            "questions": written(one["questions"], 0),
            "passed": one["passed"],
        }
        for one in proof.get("series", ())
    ]


def market(name: str) -> str:
    """Bars by their name: an invented market, or stored candles."""
    return _("Invented market: %(kind)s") % {"kind": said(name)} if name in KINDS else name


def _values(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items())


def _questions(count: int) -> str:
    return ngettext("%(count)s question", "%(count)s questions", count) % {"count": written(count, 0)}
