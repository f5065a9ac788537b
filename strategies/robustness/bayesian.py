"""Bayesian proposals: Optuna's tree-structured Parzen estimator, made a function of what is known.

A study is built anew for each generation from the finished trials, with a sampler seeded by the search's seed and the
number of trials so far. Nothing is kept between calls, so a resumed search proposes what the uninterrupted one would
have. Within a generation the trials proposed before are held to be bad ("constant liar"), which spreads the generation
over the space.

Sources: Bergstra, Bardenet, Bengio, Kégl, "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011; Falkner, Klein,
Hutter, "BOHB", ICML 2018 (the multivariate estimator); Ginsbourger, Le Riche, Carraro, "Kriging is well-suited to parallelize
optimization", 2010 (the liar); Akiba et al., "Optuna", KDD 2019.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Any, Final

from strategies.contract import Value
from strategies.robustness.samples import generator
from strategies.robustness.space import Dimension, Space, Values, key

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from strategies.robustness.search import Trial

STARTUP: Final = 16
ATTEMPTS: Final = 8
FEW_STEPS: Final = 32


def propose(space: Space, seed: int, told: Sequence[Trial], count: int, taken: Set[str]) -> list[Values]:
    """The next ``count`` points, all allowed and none in ``taken``; fewer where the space has no more.

    ``told`` are the trials so far in the order of their numbers. The first 16 points are random,
    as is one that the estimator could not place within the constraints in eight attempts.
    """
    first = len(told)
    study = None
    points: list[Values] = []
    seen = set(taken)
    if first >= STARTUP:
        study = _study(space, int(generator(seed, first).integers(2**31)), told)
    for number in range(first, first + count):
        point = None if study is None else _estimated(space, study, seen)
        point = point or space.sample(seed, number, seen)
        if point is None:
            break
        points.append(point)
        seen.add(key(point))
    return points


def _study(space: Space, seed: int, told: Sequence[Trial]) -> Any:
    # Optuna brings SQLAlchemy and Alembic along: a third of a second that only a Bayesian search should wait for.
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=1, multivariate=True, constant_liar=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = {dimension.name: _distribution(dimension) for dimension in space.dimensions}
    for trial in told:
        if trial.state == "failed" or (trial.state == "pruned" and not trial.reports):
            continue
        pruned = trial.state == "pruned"
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.PRUNED if pruned else optuna.trial.TrialState.COMPLETE,
                value=None if pruned else trial.score,
                params={dimension.name: _inward(dimension, trial.values[dimension.name]) for dimension in space.dimensions},
                distributions=distributions,
                intermediate_values=dict(trial.reports),
            )
        )
    return study


def _estimated(space: Space, study: Any, seen: Set[str]) -> Values | None:
    import optuna

    distributions = {dimension.name: _distribution(dimension) for dimension in space.dimensions}
    for _ in range(ATTEMPTS):
        asked = study.ask(fixed_distributions=distributions)
        values = {dimension.name: _outward(dimension, asked.params[dimension.name]) for dimension in space.dimensions}
        point = values | dict(space.fixed)
        if key(point) not in seen and space.allows(point):
            return point
        study.tell(asked, state=optuna.trial.TrialState.FAIL)
    return None


def _distribution(dimension: Dimension) -> BaseDistribution:
    """Choices as they are, few equal steps by their index, and everything else by its unit coordinate.

    The estimator integrates over each step of an index, which for hundreds of steps costs more than most backtests.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dimension.kind == "choice":
        return CategoricalDistribution(dimension.choices)
    if _counted(dimension):
        return IntDistribution(0, dimension.steps)
    return FloatDistribution(0.0, 1.0)


def _counted(dimension: Dimension) -> bool:
    return dimension.stepped and dimension.steps <= FEW_STEPS


def _inward(dimension: Dimension, value: Value) -> Value:
    if dimension.kind == "choice":
        return str(value)
    return dimension.index(value) if _counted(dimension) else min(max(dimension.unit(value), 0.0), 1.0)


def _outward(dimension: Dimension, value: Value) -> Value:
    if dimension.kind == "choice":
        return str(value)
    return dimension.stepped_at(int(value)) if _counted(dimension) else dimension.at(float(value))
