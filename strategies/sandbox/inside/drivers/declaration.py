"""What the file declares, as plain data, with the history that it needs for the parameters given; no run."""

import operator
from typing import Any, Final

from strategies.sandbox.inside import wire

MOST_HISTORY: Final = 1_000_000
MOST_LEGS: Final = 8
TEXTS: Final = ("name", "label", "summary", "rationale")
STYLES: Final = ("PortfolioStrategy", "EventStrategy", "Strategy")


def look(job: Any, found: type) -> tuple[dict[str, Any], dict[str, wire.Array]]:
    from strategies import contract
    from strategies.sandbox.inside.runner import Refused

    strategy = found()
    for name in ("name", "label", "summary", "parameters"):
        if not hasattr(strategy, name):
            raise Refused(f"{found.__name__} must declare {name}")
    parameters = []
    for parameter in strategy.parameters:
        if not isinstance(parameter, contract.Parameter):
            raise Refused(f"{found.__name__}.parameters must hold Parameter, holds {type(parameter).__name__}")
        try:
            parameter.accept(parameter.default)
        except contract.InvalidParameter as error:
            raise Refused(f"the default does not fit: {error}") from None
        parameters.append({slot: getattr(parameter, slot) for slot in contract.Parameter.__dataclass_fields__})
    values = contract.validate(strategy, job.task["parameters"])
    style = next(name for name in STYLES if any(base.__name__ == name for base in found.__mro__))
    texts = {name: str(getattr(strategy, name, ""))[:4000] for name in TEXTS}
    return {
        **texts,
        "style": style,
        "parameters": parameters,
        "class": found.__name__,
        "history": whole("history", strategy.history(values), 0, MOST_HISTORY),
        "legs": whole("legs", strategy.legs, 2, MOST_LEGS) if style == "PortfolioStrategy" else 1,
    }, {}


def whole(name: str, value: Any, least: int, most: int) -> int:
    """Raises Refused unless it is a whole number in its range."""
    from strategies.sandbox.inside.runner import Refused

    try:
        if least <= (number := operator.index(value)) <= most:
            return number
    except TypeError:
        pass
    raise Refused(f"{name} must be a whole number in {least}..{most:,}, was {str(value)[:40]}")
