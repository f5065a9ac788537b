"""What a track record shows, in one value: the badge that a result may carry, and the numbers behind it.

A badge rests on the deflated Sharpe ratio with every trial that was made on the strategy, also those whose returns nobody kept:

* ``significant``: the deflated Sharpe ratio reaches the confidence;
* ``explained-by-trials``: the Sharpe ratio alone would reach it, but the best of so many trials would look as good
  without merit;
* ``not-shown``: not even that; ``minimum_track_record`` says how many returns would do if the Sharpe ratio stayed what it is.

Sources: see ``sharpe``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy.typing as npt

from strategies.robustness.samples import InvalidSample, count, share, table
from strategies.robustness.sharpe import (
    ALIKE,
    Moments,
    clusters,
    deflated_sharpe,
    effective_trials,
    expected_maximum_sharpe,
    minimum_track_record,
    moments,
    probabilistic_sharpe,
)

Badge = Literal["significant", "explained-by-trials", "not-shown"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What returns show against luck. Sharpe ratios are per period; ``by_luck`` is SR₀, the best expected without merit."""

    badge: Badge
    confidence: float
    observations: int
    sharpe: float
    skew: float
    kurtosis: float
    probabilistic: float
    deflated: float
    by_luck: float
    trials: int
    effective_trials: float
    minimum_track_record: float

    def to_json(self) -> dict[str, Any]:
        """Plain values; None for a track record that no length would suffice for."""
        told = {name: getattr(self, name) for name in self.__slots__}
        endless = math.isinf(self.minimum_track_record)
        return {"version": 1, **told, "minimum_track_record": None if endless else self.minimum_track_record}


def evidence(
    returns: npt.ArrayLike,
    *,
    trials: int = 1,
    kept: npt.ArrayLike | None = None,
    alike: float = ALIKE,
    confidence: float = 0.95,
) -> Evidence:
    """The evidence of a track record.

    Parameters
    ----------
    returns : (n,) float64
        Returns per period of the result that is shown, after costs; days are usual.
    trials : int
        Every trial made on the strategy so far, this one included.
    kept : (periods, k) float64, optional
        Returns of those trials that were kept, over the same periods as each other, ``k <= trials``. They tell how many ideas
        the trials are, trials · clusters / k, and how far variations of one differ: ``sharpe.effective_trials``. Without them
        every trial counts as an idea of its own.
    alike : float
        See ``sharpe.clusters``.
    confidence : float
        What a badge asks for.

    Raises
    ------
    InvalidSample
        If the returns have no Sharpe ratio or a number is out of range.

    Notes
    -----
    The variance of the trials' Sharpe ratios is taken as 1/(n − 1) at least: strategies without any merit differ by that much
    through estimation alone, and a few kept trials that happen to agree must not wipe the deflation out.
    """
    of = moments(returns)
    trials = count("trials", trials)
    share("confidence", confidence, least=0.5)
    effective, variance = float(trials), 1 / (of.observations - 1)
    if kept is not None:
        matrix = table("kept", kept, 2)
        if matrix.shape[1] > trials:
            raise InvalidSample(f"{matrix.shape[1]} trials were kept of {trials}; trials counts all that were made")
        ideas = clusters(matrix, alike=alike)
        kept_of = matrix.shape[1]
        effective = effective_trials(trials * ideas.count / kept_of, kept_of / ideas.count, ideas.within)
        variance = max(variance, ideas.variance)
    alone, deflated = probabilistic_sharpe(of), deflated_sharpe(of, effective, variance)
    return Evidence(
        _badge(deflated, alone, confidence),
        confidence,
        of.observations,
        of.sharpe,
        of.skew,
        of.kurtosis,
        alone,
        deflated,
        expected_maximum_sharpe(effective, variance),
        trials,
        effective,
        minimum_track_record(of, 0.0, confidence),
    )


def recounted(told: Mapping[str, Any], trials: int) -> dict[str, Any]:
    """``Evidence.to_json`` as it reads after ``trials`` trials in all: what came later counts against what was found before.

    As many of the later ones are taken for ideas of their own as of the earlier ones, and the variance of their Sharpe
    ratios stays what it was. What has no badge, because its returns have no Sharpe ratio, gets the new count alone.
    """
    if not told.get("badge"):
        return {**told, "trials": trials}
    of = Moments(told["observations"], told["sharpe"], told["skew"], told["kurtosis"])
    counted, before = count("trials", trials), told["effective_trials"]
    unit = expected_maximum_sharpe(before, 1.0)
    variance = (told["by_luck"] / unit) ** 2 if unit > 0 else 1 / (of.observations - 1)
    effective = max(1.0, before * counted / told["trials"])
    deflated, least = deflated_sharpe(of, effective, variance), told["confidence"]
    return {
        **told,
        "badge": _badge(deflated, told["probabilistic"], least),
        "deflated": deflated,
        "by_luck": expected_maximum_sharpe(effective, variance),
        "trials": counted,
        "effective_trials": effective,
    }


def _badge(deflated: float, alone: float, confidence: float) -> Badge:
    return "significant" if deflated >= confidence else "explained-by-trials" if alone >= confidence else "not-shown"
