"""The simulators that every test of the engine's rules runs over: the reference, and the kernel as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable

from tests.strategies.engine import reference
from tests.strategies.engine.reference_types import Result
from tests.strategies.engine.tables import Case

Engine = Callable[[Case], Result]


def by_reference(case: Case) -> Result:
    return reference.simulate(
        case.bars,
        case.targets,
        intents=case.intents,
        market=case.markets,
        costs=case.costs,
        rules=case.rules,
        cash=case.cash,
        detail=case.detail,
        funding=case.funding,
        actions=case.actions,
        tradable=case.tradable,
        session=case.session,
    )


ENGINES: dict[str, Engine] = {"reference": by_reference}
