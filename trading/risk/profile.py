"""The risk profile: one appetite from 1 (careful) to 10 (bold) that sets every limit, and what was set by hand instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from trading.risk.numbers import plain
from trading.risk.parameters import APPETITES, BY_NAME, PARAMETERS, InvalidProfile, Parameter, Value

__all__ = ["PARAMETERS", "VERSION", "InvalidProfile", "Parameter", "RiskProfile", "from_json", "profile", "to_json"]

VERSION: Final = 1
NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RiskProfile:
    """Every limit that the engine keeps; ``parameters`` says what each means. ``by_hand`` names those that were set by hand.

    Made by ``profile`` and ``from_json``, which check it.
    """

    appetite: int
    by_hand: tuple[str, ...]
    stop_distance: Decimal
    maximum_position: Decimal
    risk_per_trade: Decimal
    exposure_symbol: Decimal
    exposure_sector: Decimal
    exposure_cluster: Decimal
    leverage: Decimal
    daily_loss: Decimal
    drawdown: Decimal
    consecutive_losses: int
    infrastructure_failures: int
    infrastructure_window: int
    price_collar: Decimal
    orders_per_minute: int
    open_positions: int
    bad_regime_scale: Decimal
    extreme_fear: Decimal
    signal_scale: Decimal
    price_age: int
    daily_loss_policy: str
    drawdown_policy: str
    losses_policy: str
    infrastructure_policy: str

    @property
    def values(self) -> dict[str, Value]:
        return {name: getattr(self, name) for name in BY_NAME}


def profile(appetite: int, overrides: Mapping[str, object] = NOTHING) -> RiskProfile:
    """The profile of an appetite, with ``overrides`` in the place of the table's values.

    Raises InvalidProfile, naming the field and its range.
    """
    if isinstance(appetite, bool) or not isinstance(appetite, int) or appetite not in APPETITES:
        raise InvalidProfile(f"appetite must be 1..10, was {appetite!r}", field="appetite", minimum="1", maximum="10")
    _known(overrides)
    values: dict[str, Any] = {one.name: one.at(appetite) for one in PARAMETERS}
    values |= {name: BY_NAME[name].accept(value) for name, value in overrides.items()}
    return RiskProfile(appetite=appetite, by_hand=tuple(name for name in BY_NAME if name in overrides), **values)


def to_json(chosen: RiskProfile) -> dict[str, Any]:
    """As it is stored: with every value, so that a later table changes nobody's limits behind their back."""
    values = {name: value if isinstance(value, str) else plain(Decimal(value)) for name, value in chosen.values.items()}
    return {"version": VERSION, "appetite": chosen.appetite, "by_hand": list(chosen.by_hand), "values": values}


def from_json(stored: Mapping[str, Any]) -> RiskProfile:
    """What ``to_json`` told. Raises InvalidProfile for another version, a value that is missing, unknown or out of range."""
    if stored.get("version") != VERSION:
        raise InvalidProfile(f"version must be {VERSION}, was {stored.get('version')!r}", field="version")
    if absent := {"appetite", "by_hand", "values"} - set(stored):
        raise InvalidProfile(f"{min(absent)} is missing", field=min(absent))
    values, by_hand = stored["values"], stored["by_hand"]
    _known(values)
    _known(dict.fromkeys(by_hand))
    if missing := [name for name in BY_NAME if name not in values]:
        raise InvalidProfile(f"{missing[0]} is missing", field=missing[0])
    complete = profile(stored["appetite"], values)
    return RiskProfile(appetite=complete.appetite, by_hand=tuple(by_hand), **complete.values)  # type: ignore[arg-type]


def _known(names: Mapping[str, object]) -> None:
    for name in names:
        if name not in BY_NAME:
            raise InvalidProfile(f"there is no parameter {name!r}; there are {', '.join(BY_NAME)}", field=str(name))
