"""What buying and holding the bars of a study would have made, beside what its best made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from strategies.backtest import buy_and_hold
from strategies.models import Study
from strategies.services.snapshots import bars_of
from strategies.views.studies_words import percent_text

Floats = npt.NDArray[np.float64]


def held(study: Study, times: npt.ArrayLike) -> Floats | None:
    """(n,) money at ``times`` of the study's curve; None where its bars are not kept.

    A walk-forward is compared over the bars that it is judged on: from the first bar of its first window, without a break.
    """
    if study.snapshot is None:
        return None
    bars = bars_of(study.snapshot)
    windows = (study.report or {}).get("windows") if study.plan else None
    first = int(np.searchsorted(bars.time, windows[0]["test_from"])) if windows else 0
    compared = bars[first:]
    worth = buy_and_hold([compared], float(study.conditions["cash"]))
    at = np.searchsorted(compared.time, np.asarray(times, np.int64), side="right") - 1
    made: Floats = worth[np.maximum(at, 0)]
    return made


def compared(study: Study, worth: Floats | None, final: float | None) -> dict[str, Any]:
    """The gain of holding, and in words where the study's best did not beat it; empty where it is not known."""
    if worth is None or not len(worth) or final is None:
        return {}
    cash = float(study.conditions["cash"])
    gain = float(worth[-1]) / cash - 1
    tone = "up" if gain > 0 else "down" if gain < 0 else ""
    told: dict[str, Any] = {"text": percent_text(gain), "tone": tone, "beaten": final > float(worth[-1])}
    if not told["beaten"]:
        facts = {"held": told["text"], "made": percent_text(final / cash - 1)}
        told["said"] = _("Buying and holding the same bars made %(held)s, this made %(made)s.") % facts
    return told
