"""What Alpaca writes and refuses, read by the tables: every state and every refusal that its reference has."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from trading.brokers.alpaca import messages
from trading.brokers.alpaca.messages import Unreadable
from trading.brokers.alpaca.refusals import meaning
from trading.brokers.protocol import FlowKind, OrderRequest, Side, State, TimeInForce, Type


def named(symbol: str) -> str:
    return {"ETHUSD": "ETH/USD", "SOLUSD": "SOL/USD"}.get(symbol, symbol)


def written(**changes: Any) -> dict[str, Any]:
    """An order as the reference of the account stream has it."""
    return {
        "id": "a5be8f5e-fdfa-41f5-a644-7a74fe947a8f",
        "client_order_id": "4642fd68-d59a-47d7-a9ac-e22f536828d1",
        "created_at": "2022-04-19T13:45:04.981350886-04:00",
        "submitted_at": "2022-04-19T13:45:04.980944666-04:00",
        "updated_at": "2022-04-19T13:45:05.027690731-04:00",
        "symbol": "SOLUSD",
        "side": "sell",
        "type": "market",
        "qty": "1790.86",
        "filled_qty": "0",
        "notional": None,
        "order_class": "",
        "limit_price": None,
        "stop_price": None,
        "status": "new",
    } | changes


STATES = {
    "new": State.ACCEPTED,
    "pending_new": State.ACCEPTED,
    "accepted": State.ACCEPTED,
    "accepted_for_bidding": State.ACCEPTED,
    "pending_review": State.ACCEPTED,
    "held": State.ACCEPTED,
    "stopped": State.ACCEPTED,
    "suspended": State.ACCEPTED,
    "done_for_day": State.ACCEPTED,
    "calculated": State.ACCEPTED,
    "pending_cancel": State.ACCEPTED,
    "pending_replace": State.ACCEPTED,
    "partially_filled": State.PARTLY_FILLED,
    "filled": State.FILLED,
    "canceled": State.CANCELLED,
    "replaced": State.CANCELLED,
    "expired": State.EXPIRED,
    "rejected": State.REJECTED,
}


def test_every_state_that_alpaca_py_knows_has_a_meaning() -> None:
    from alpaca.trading.enums import OrderStatus  # importing it warns; the adapter has imported it by now

    assert {one.value for one in OrderStatus} == set(STATES)
    assert {name: messages.order(written(status=name), named).state for name in STATES} == STATES


def test_an_open_order_with_fills_is_partly_filled_whatever_it_waits_for() -> None:
    waiting = [name for name, state in STATES.items() if state is State.ACCEPTED]
    assert {messages.order(written(status=one, filled_qty="5"), named).state for one in waiting} == {State.PARTLY_FILLED}
    assert messages.order(written(status="calculated", filled_qty="1790.86"), named).state is State.FILLED
    assert messages.order(written(status="canceled", filled_qty="5"), named).state is State.CANCELLED


def test_an_order_is_read_to_the_last_digit_and_in_utc() -> None:
    order = messages.order(written(qty="0.123456789", limit_price="0.000000012", type="limit"), named)

    assert (order.quantity, order.limit_price) == (Decimal("0.123456789"), Decimal("0.000000012"))
    assert order.updated_at == datetime(2022, 4, 19, 17, 45, 5, 27690, tzinfo=UTC)
    assert order.symbol == "SOL/USD"


def test_an_order_for_an_amount_counts_what_is_filled() -> None:
    order = messages.order(written(qty=None, notional="500", filled_qty="0.4"), named)

    assert (order.quantity, order.filled) == (Decimal("0.4"), Decimal("0.4"))


def test_the_legs_of_an_order_are_orders_of_their_own() -> None:
    legs = [written(id=one, symbol=f"AAPL250321P0020000{one}", type="", order_type="") for one in "12"]
    whole = written(order_class="mleg", symbol="", side="", type="limit", legs=legs)
    orders = [messages.order(one, named) for one in messages.single_orders(whole)]

    assert [(one.venue_order_id, one.type, one.side) for one in orders] == [
        ("1", Type.LIMIT, Side.SELL),
        ("2", Type.LIMIT, Side.SELL),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "thinking"},
        {"status": None},
        {"side": "both"},
        {"type": "hope"},
        {"id": ""},
        {"updated_at": "yesterday"},
        {"updated_at": "2022-04-19T13:45:05"},
        {"qty": "many"},
        {"qty": 1790.86},
        {"qty": "NaN"},
        {"qty": True},
    ],
)
def test_what_the_reference_does_not_know_is_not_guessed(changes: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        messages.order(written(**changes), named)


def test_a_fill_of_the_reference_is_read_from_both_ways() -> None:
    activity = {
        "activity_type": "FILL",
        "cum_qty": "1",
        "id": "20190524113406977::8efc7b9a-8b2b-4000-9955-d36e7db0df74",
        "leaves_qty": "0",
        "price": "1.63",
        "qty": "1",
        "side": "sell_short",
        "symbol": "LPCN",
        "transaction_time": "2019-05-24T15:34:06.977Z",
        "order_id": "904837e3-3b76-47ec-b432-046db621571b",
        "type": "fill",
    }
    asked = messages.fill_activity(activity, named)
    whole = written(id=activity["order_id"], symbol="LPCN", side="sell", client_order_id="ours")
    data = {
        "event": "fill",
        "execution_id": "8efc7b9a-8b2b-4000-9955-d36e7db0df74",
        "order": whole,
        "price": "1.63",
        "qty": "1",
        "timestamp": "2019-05-24T15:34:06.977Z",
    }
    told = messages.fill_update(data, named)

    assert told is not None
    assert (told.venue_fill_id, told.side, told.client_order_id) == (asked.venue_fill_id, Side.SELL, "ours")
    assert (asked.quantity, asked.price, asked.fee, asked.fee_currency) == (Decimal(1), Decimal("1.63"), Decimal(0), "USD")
    assert told.time == asked.time == datetime(2019, 5, 24, 15, 34, 6, 977000, tzinfo=UTC)
    assert messages.fill_update(data | {"execution_id": None}, named) is None
    assert messages.fill_update(data | {"event": "canceled"}, named) is None


def test_a_fee_in_coins_is_told_in_coins() -> None:
    activity = {
        "id": "20220812000000000::53be51ba-46f9-43de-b81f-576f241dc680",
        "activity_type": "CFEE",
        "date": "2022-08-12",
        "net_amount": "0",
        "description": "Coin Pair Transaction Fee (Non USD)",
        "symbol": "ETHUSD",
        "qty": "-0.000195",
        "price": "1884.5",
        "status": "executed",
    }
    flow = messages.flow(activity, named)

    assert flow is not None
    assert (flow.kind, flow.currency, flow.amount) == (FlowKind.FEE, "ETH", Decimal("-0.000195"))
    assert flow.time == datetime(2022, 8, 12, 4, tzinfo=UTC)  # midnight in New York
    assert messages.flow(activity | {"status": "canceled"}, named) is None
    assert messages.flow(activity | {"activity_type": "SPLIT", "symbol": "AAPL", "qty": "30"}, named) is None


def test_quantities_and_prices_are_sent_as_the_digits_they_are() -> None:
    request = OrderRequest(
        "id", "BTC/USD", Side.SELL, Type.STOP_LIMIT, Decimal("1E-9"), Decimal("6E+4"), Decimal("60010.5"), TimeInForce.GTC, True
    )

    assert messages.payload(request) == {
        "client_order_id": "id",
        "symbol": "BTC/USD",
        "side": "sell",
        "type": "stop_limit",
        "qty": "0.000000001",
        "limit_price": "60000",
        "stop_price": "60010.5",
        "time_in_force": "gtc",
    }


@pytest.mark.parametrize(
    ("status", "code", "said", "ours"),
    [
        (403, 40310000, "insufficient buying power", "insufficient-funds"),
        (403, 40310000, "insufficient qty available for order (requested: 5, available: 0)", "insufficient-funds"),
        (403, 40310000, "insufficient balance for ETH (requested: 13.3, available: 13.2)", "insufficient-funds"),
        (403, 40310000, "cost basis must be >= minimal amount of order 10", "below-minimum"),
        (403, 40310000, "account is not allowed to short", "short-not-allowed"),
        (403, 40310000, "account is not authorized to trade", "trading-disabled"),
        (403, 40310000, "potential wash trade detected. use complex orders", "would-cross"),
        (403, 40310000, 'asset "CWVX" is not fractionable', "bad-quantity"),
        (403, 40310000, "something new", "venue-refused"),
        (403, 40310100, "trade denied due to pattern day trading protection", "trading-disabled"),
        (422, 40010001, "client_order_id must be unique", "duplicate-id"),
        (422, 40010001, "qty or notional is required", "bad-quantity"),
        (422, 42210000, 'asset "HALT" is not tradable', "trading-disabled"),
        (422, 42210000, 'asset "NOPE" not found', "unknown-symbol"),
        (422, 42210000, "asset not found for NOPE", "unknown-symbol"),
        (422, 42210000, "fractional orders must be DAY orders", "bad-quantity"),
        (
            422,
            42210000,
            "invalid limit_price 290.123. sub-penny increment does not fulfill minimum pricing criteria",
            "bad-price",
        ),
        (422, 42210000, "options market orders are only allowed during market hours", "market-closed"),
        (422, 42210000, "position intent mismatch, inferred: sell_to_open, specified: sell_to_close", "reduce-only"),
        (422, 42210000, 'order is already in "filled" state', "not-open"),
        (422, 42210000, 'order is already in "pending_cancel" state', "venue-refused"),
        (422, 42210000, "cannot replace order in canceled status", "not-open"),
        (422, 42210000, "cannot replace order in accepted status", "venue-refused"),
        (422, 42210000, "order parameters are not changed", "venue-refused"),
        (404, 40410000, "order not found for 904837e3", "not-open"),
        (404, 40410000, "endpoint not found", "venue-refused"),
        (422, 42210000, "invalid crypto time_in_force", "venue-refused"),
    ],
)
def test_refusals_have_our_codes(status: int, code: int, said: str, ours: str) -> None:
    assert meaning(status, code, said.lower()) == ours
