"""An ordinary order, and for each rule what makes it object: the sentences of docs/risk.md come from judging these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from trading.risk.breakers import BreakerState, ClosedTrade, Facts, Failure, FailureKind, observe
from trading.risk.checks import judge
from trading.risk.findings import Finding
from trading.risk.profile import profile
from trading.risk.situation import AccountState, Exposure, MarketState, Proposal, Situation
from trading.risk.states import TradingState

D = Decimal
PROFILE: Final = profile(5)
AT: Final = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


def _lived(equity: str = "10000", **facts: Any) -> BreakerState:
    """An account that had 10,000 this morning."""
    state, _ = observe(BreakerState(), Facts(AT, AT.date(), D(10_000)), PROFILE)
    return observe(state, Facts(AT, AT.date(), D(equity), **facts), PROFILE)[0]


PROPOSAL: Final = Proposal(quantity=D(4), held=D(0), price=D("100.05"), mark=D(100), fee_rate=D("0.001"), stop=D(95))
SITUATION: Final = Situation(
    account=AccountState("USDT", D(10_000), day_trades=0),
    market=MarketState(D("0.01"), D("0.001"), "USDT", D(100), timedelta(seconds=2), min_notional=D(5), is_open=True),
    exposure=Exposure(sector=D(0), cluster=D(0)),
    breakers=_lived(),
    is_running=True,
    sentiment=D(50),
)
_STOCK: Final = {"is_us_stock": True, "opened_today": D(10)}
_LOSSES: Final = tuple(ClosedTrade(AT, str(number), D(-20)) for number in range(3))
_FAILURES: Final = tuple(Failure(AT, str(number), FailureKind.LOST_CONNECTION) for number in range(5))

# What is different from an ordinary order of 400 at an account of 10,000 with appetite 5.
EXAMPLES: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    "not-sendable": {"proposal": {"quantity": D("4.0005")}},
    "disconnected": {"market": {"is_connected": False}},
    "stale-price": {"market": {"price_age": timedelta(seconds=61)}},
    "not-running": {"situation": {"is_running": False}},
    "reduce-only": {"account": {"state": TradingState.REDUCE_ONLY}},
    "halted": {"situation": {"platform_state": TradingState.HALTED}},
    "buying-power": {"account": {"gross": D(9_500), "reserved": D(200)}},
    "breaker-daily-loss": {"situation": {"breakers": _lived("9800")}},
    "breaker-drawdown": {
        "situation": {
            "breakers": observe(
                _lived(), Facts(AT + timedelta(days=1), date(2026, 3, 3), D(9_500)), profile(5, {"daily_loss": 1})
            )[0]
        },
        "profile": {"daily_loss": D(1)},
    },
    "breaker-losses": {"situation": {"breakers": _lived(closed=_LOSSES)}},
    "breaker-infrastructure": {"situation": {"breakers": _lived(failures=_FAILURES)}},
    "pattern-day-trader": {
        "proposal": {"quantity": D(-4), "held": D(4)},
        "account": {"currency": "USD", "is_margin": True, "day_trades": 3},
        "market": _STOCK,
    },
    "short-not-allowed": {"proposal": {"quantity": D(-4), "stop": D(105)}},
    "maximum-position": {"proposal": {"quantity": D("5.1")}},
    "stop-wrong-side": {"proposal": {"stop": D(101)}},
    "risk-per-trade": {"proposal": {"stop": D(85)}},
    "too-many-positions": {"account": {"open_positions": 6}},
    "exposure-symbol": {"exposure": {"symbol": D(400)}},
    "exposure-sector": {"exposure": {"sector": D(1_700)}},
    "exposure-cluster": {"exposure": {"cluster": D(1_300)}},
    "leverage": {"account": {"gross": D(9_700), "lending": D(4)}},
    "price-collar": {"proposal": {"limit_price": D("101.5")}},
    "order-rate": {"account": {"orders_last_minute": 10}},
    "below-minimum": {"proposal": {"quantity": D("0.049")}},
    "market-closed": {"market": {"is_open": False}},
    "extreme-fear": {"situation": {"sentiment": D(14)}},
}


def example(code: str) -> Finding:
    """What the engine answers to the example of a rule."""
    change = EXAMPLES[code]
    situation = replace(
        SITUATION,
        account=replace(SITUATION.account, **change.get("account", {})),
        market=replace(SITUATION.market, **change.get("market", {})),
        exposure=replace(SITUATION.exposure, **change.get("exposure", {})),
    )
    situation = replace(situation, **change.get("situation", {}))
    chosen = replace(PROFILE, **change.get("profile", {}))
    rejection = judge(replace(PROPOSAL, **change.get("proposal", {})), situation, chosen).rejection
    assert rejection is not None, code
    return rejection
