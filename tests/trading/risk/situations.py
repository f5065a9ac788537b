"""An ordinary order at an ordinary account, and how tests change one thing of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from trading.risk.breakers import BreakerState, Facts, observe
from trading.risk.profile import RiskProfile, profile
from trading.risk.situation import AccountState, Exposure, MarketState, Proposal, Situation

D = Decimal
AT = datetime(2026, 5, 4, 14, 30, tzinfo=UTC)

PROFILE = profile(5, {"maximum_position": "0.5", "exposure_symbol": "0.6", "exposure_sector": "0.7", "exposure_cluster": "0.8"})


def lived(*equities: str | int, chosen: RiskProfile = PROFILE, **facts: Any) -> BreakerState:
    """An account that had these equities one after another, all on one day; ``facts`` belong to the last."""
    state = BreakerState()
    for number, equity in enumerate(equities):
        last = facts if number == len(equities) - 1 else {}
        at = AT + timedelta(seconds=number)
        state, _ = observe(state, Facts(**{"at": at, "day": AT.date(), "equity": D(equity), **last}), chosen)
    return state


BUY = Proposal(quantity=D(40), held=D(0), price=D(100), mark=D(100), fee_rate=D("0.001"), stop=D(99))
SITUATION = Situation(
    account=AccountState("USD", D(10_000), is_margin=True, day_trades=0),
    market=MarketState(
        D("0.01"), D("0.0001"), "USD", D(100), timedelta(seconds=2), min_notional=D(5), is_open=True, is_us_stock=True
    ),
    exposure=Exposure(sector=D(0), cluster=D(0)),
    breakers=lived(10_000),
    is_running=True,
    sentiment=D(50),
)


def changed(
    *,
    account: dict[str, Any] | None = None,
    market: dict[str, Any] | None = None,
    exposure: dict[str, Any] | None = None,
    **situation: Any,
) -> Situation:
    """The ordinary situation with these things different."""
    base = replace(
        SITUATION,
        account=replace(SITUATION.account, **account or {}),
        market=replace(SITUATION.market, **market or {}),
        exposure=replace(SITUATION.exposure, **exposure or {}),
    )
    return replace(base, **situation)
