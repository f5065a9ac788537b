"""From the exposure that a strategy wants to the position that the risk profile lets it have. Pure.

The caps are those that ``checks`` judges by, with the same prices: what is sized here is not refused for its size there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from enum import StrEnum
from typing import Final

from trading.prices import on_grid, quantity_down
from trading.risk.profile import RiskProfile
from trading.risk.situation import Exposure

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)


class Cap(StrEnum):
    """What decided the size. ``allocation`` is the strategy's own: it has all that it asked for."""

    ALLOCATION = "allocation"
    SIGNAL = "signal"
    REGIME = "regime"
    POSITION = "position"
    RISK = "risk"
    EXPOSURE_SYMBOL = "exposure-symbol"
    EXPOSURE_SECTOR = "exposure-sector"
    EXPOSURE_CLUSTER = "exposure-cluster"
    LEVERAGE = "leverage"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a strategy wants, and the market it wants it in.

    Parameters
    ----------
    target : Decimal
        Exposure in [-1, 1]; its size is the strength of the signal.
    threshold : Decimal
        Strength from which the strategy trades, 0..1; the profile may ask for more.
    allocation : Decimal
        Share of equity at full exposure, 0..1.
    price, mark : Decimal
        What the order is expected to get, and what the market values a unit at; both above 0.
    atr : Decimal or None
        Average true range in price; None where it is not known yet.
    stop : Decimal or None
        The strategy's own stop, a price.
    is_bad_regime : bool
        Whether the market's regime does not suit the strategy.
    """

    target: Decimal
    allocation: Decimal
    price: Decimal
    mark: Decimal
    fee_rate: Decimal
    tick: Decimal
    lot: Decimal
    point_value: Decimal = ONE
    threshold: Decimal = ZERO
    atr: Decimal | None = None
    stop: Decimal | None = None
    is_bad_regime: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """What the account has at work beside the position that is sized: its exposures, open orders included, and their sum."""

    equity: Decimal
    exposure: Exposure = field(default_factory=Exposure)
    gross: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Sized:
    """The signed quantity to hold, what bound it, and the stop to protect it with (None where none is known).

    ``caps`` are the sizes, without sign and not yet rounded to the lot, that each cap would have let through.
    """

    quantity: Decimal
    bound_by: Cap
    stop: Decimal | None
    caps: Mapping[Cap, Decimal]


def size(wish: Wish, room: Room, profile: RiskProfile) -> Sized:
    """The position for ``wish``: never more than it asks for, and the smallest that a cap leaves, rounded down to the lot."""
    equity, unit = room.equity, wish.mark * wish.point_value
    stop = stop_price(wish, profile)
    caps = {Cap.ALLOCATION: _most(abs(wish.target) * wish.allocation * equity, _cost(wish))}
    # No strategy is asked for more than a full signal.
    if abs(wish.target) < min(wish.threshold * profile.signal_scale, ONE):
        caps[Cap.SIGNAL] = ZERO
    if wish.is_bad_regime:
        caps[Cap.REGIME] = caps[Cap.ALLOCATION] * profile.bad_regime_scale
    caps[Cap.POSITION] = _most(profile.maximum_position * equity - room.exposure.waiting, unit)
    if stop is not None and stop != wish.price:
        caps[Cap.RISK] = _most(profile.risk_per_trade * equity, abs(wish.price - stop) * wish.point_value)
    for cap, used, limit in (
        (Cap.EXPOSURE_SYMBOL, room.exposure.symbol, profile.exposure_symbol),
        (Cap.EXPOSURE_SECTOR, room.exposure.sector, profile.exposure_sector),
        (Cap.EXPOSURE_CLUSTER, room.exposure.cluster, profile.exposure_cluster),
        (Cap.LEVERAGE, room.gross, profile.leverage),
    ):
        if used is not None:
            caps[cap] = _most(limit * equity - used, unit)
    # Below zero where the equity is, or where more is at work already than may be.
    caps = {cap: max(most, ZERO) for cap, most in caps.items()}
    bound_by = min(caps, key=caps.__getitem__)  # the first of equals: where nothing binds, what was asked for
    quantity = quantity_down(caps[bound_by], wish.lot)
    return Sized(quantity if wish.target > 0 else -quantity + ZERO, bound_by, stop if quantity else None, caps)


def stop_price(wish: Wish, profile: RiskProfile) -> Decimal | None:
    """Where the position is given up: the profile's distance from the mark, or the strategy's own stop where that is nearer.

    Rounded to the tick towards the price, so that rounding never puts more at risk, and at least a tick away from it. A stop of
    the strategy's on the wrong side is no stop.
    """
    if not wish.target:
        return None
    is_long = wish.target > 0
    candidates = []
    if wish.atr is not None and wish.atr > 0:
        distance = wish.atr * profile.stop_distance
        candidates.append(wish.mark - distance if is_long else wish.mark + distance)
    nearest = min(wish.mark, wish.price) if is_long else max(wish.mark, wish.price)
    if wish.stop is not None and (wish.stop < nearest if is_long else wish.stop > nearest):
        candidates.append(wish.stop)
    if not candidates:
        return None
    if is_long:
        furthest = on_grid(nearest - wish.tick, wish.tick, ROUND_FLOOR)
        # No price is below one tick: a distance beyond it puts all of the position at risk.
        return max(min(on_grid(max(candidates), wish.tick, ROUND_CEILING), furthest), wish.tick)
    furthest = on_grid(nearest + wish.tick, wish.tick, ROUND_CEILING)
    return max(on_grid(min(candidates), wish.tick, ROUND_FLOOR), furthest)


def _most(money: Decimal, unit: Decimal) -> Decimal:
    """How many ``money`` pays for; the quotient's last digit is cut off, as half a unit too many would be refused."""
    with localcontext() as context:
        context.prec, context.rounding = 60, ROUND_FLOOR
        return money / unit


def _cost(wish: Wish) -> Decimal:
    """Money that one unit ties up and loses at once, fee and slippage included."""
    worse = wish.price - wish.mark if wish.target > 0 else wish.mark - wish.price
    return (wish.mark + max(worse, ZERO) + wish.price * wish.fee_rate) * wish.point_value
