"""Orders, keys and expected errors for the tests of the ccxt adapter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from trading.brokers.protocol import (
    BrokerError,
    OrderKey,
    OrderRequest,
    Side,
    Type,
)

D = Decimal


def order(client_order_id: str, **changes: Any) -> OrderRequest:
    said: dict[str, Any] = {"symbol": "BTCUSDT", "side": Side.BUY, "type": Type.MARKET, "quantity": D("0.01")}
    return OrderRequest(client_order_id, **said | changes)


def limit(client_order_id: str, price: str = "40000", **changes: Any) -> OrderRequest:
    return order(client_order_id, type=Type.LIMIT, limit_price=D(price), **changes)


def key(client_order_id: str, venue_order_id: str = "") -> OrderKey:
    return OrderKey(client_order_id, "BTCUSDT", venue_order_id)


def lately() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


def raised(act: Callable[[], object], expected: type[BrokerError] | None) -> None:
    if expected is None:
        act()
        return
    with pytest.raises(expected) as caught:
        act()
    assert type(caught.value) is expected
