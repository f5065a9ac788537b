"""Several strategies as one, by vote or by weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from strategies.contract import Floats, InvalidParameter, Parameter, Parameters, Strategy, as_signals, validate
from strategies.library.direction import DIRECTION
from strategies.library.macd import MacdCross
from strategies.library.momentum import Momentum
from strategies.library.sma_cross import SmaCross
from strategies.library.statistical_momentum import StatisticalMomentum
from strategies.library.zscore_reversion import ZScoreMeanReversion

if TYPE_CHECKING:
    from marketdata.bars import Bars

Member = tuple[Strategy, dict[str, Any]]

DEFAULT: tuple[Member, ...] = (
    (SmaCross(), {}), (MacdCross(), {}), (Momentum(), {}), (StatisticalMomentum(), {}), (ZScoreMeanReversion(), {}),
)  # fmt: skip


class Ensemble(Strategy):
    """Any strategies of one instrument, each with its parameters: ``Ensemble([(SmaCross(), {"fast": 10}), …])``.

    Only exposures are combined. Protective levels of members are left out, for they belong to positions of their own. The
    weight of the first member is the parameter ``weight_1``, and so on.
    """

    name = "ensemble"
    label = "Ensemble"
    summary = (
        "Asks several strategies and does what enough of them want, or holds the weighted mean of what they want: crosses of "
        "averages, MACD, momentum, statistical momentum and reversion unless others are given."
    )
    rationale = (
        "Rules that err at different times err less together: the mean of several has the mean of their returns and less than "
        "the mean of their risk, and a vote trades only where there is agreement. It fails where the members are one idea in "
        "several dresses, which agree in being wrong, and a vote gives up the gains that one of them alone would have seen."
    )

    def __init__(self, members: Sequence[Member] = DEFAULT, *, name: str = "ensemble", label: str = "Ensemble") -> None:
        if not members:
            raise InvalidParameter("an ensemble must have at least one member, had none", field="members")
        self.members = tuple(members)
        self.name, self.label = name, label  # type: ignore[misc]
        weights = [
            Parameter(
                f"weight_{i}", f"Weight of {one.label}", "float", 1.0, minimum=0, maximum=10, step=0.25, help="0 leaves it out."
            )
            for i, (one, _) in enumerate(self.members, start=1)
        ]
        self.parameters = (  # type: ignore[misc]
            Parameter(
                "mode", "Combination", "choice", "vote", choices=(("vote", "Vote"), ("mean", "Weighted mean")),
                help="All or nothing by majority, or the mean of what they want.",
            ),
            Parameter(
                "quorum", "Quorum", "float", 0.5, minimum=0.05, maximum=1, step=0.05,
                help="Net share of the weights, those for less those against, that a vote needs.",
            ),
            *weights,
            DIRECTION,
        )  # fmt: skip

    def check(self, p: Parameters) -> None:
        if not any(p[f"weight_{i}"] for i in range(1, len(self.members) + 1)):
            raise InvalidParameter("one of the weights must be above 0, all were 0", field="weight_1")
        for strategy, values in self._asked(p):
            validate(strategy, values)

    def history(self, p: Parameters) -> int:
        return max(strategy.history(validate(strategy, values)) for strategy, values in self._asked(p))

    def signals(self, bars: Bars, p: Parameters) -> Floats:
        total = np.zeros(len(bars))
        weights = [float(p[f"weight_{i}"]) for i in range(1, len(self.members) + 1)]
        for weight, (strategy, values) in zip(weights, self._asked(p), strict=True):
            if weight:
                wanted = as_signals(strategy.signals(bars, validate(strategy, values)), len(bars)).exposure
                total += weight * (np.sign(wanted) if p.mode == "vote" else wanted)
        total /= sum(weights)
        if p.mode == "vote":
            # A billionth for weights whose sum does not come out even.
            total = np.where(np.abs(total) >= p.quorum - 1e-9, np.sign(total), 0.0)
        floor = -1.0 if p.direction == "long-short" else 0.0
        return np.clip(total, floor, 1.0)

    def _asked(self, p: Parameters) -> list[Member]:
        """Members with their values, and with the ensemble's direction where they have one."""
        return [
            (
                strategy,
                ({"direction": p.direction} if any(one.name == "direction" for one in strategy.parameters) else {}) | values,
            )
            for strategy, values in self.members
        ]
