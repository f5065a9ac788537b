"""What Binance's signed addresses answer: orders, history, wallets, and its words for a refusal.

Source: developers.binance.com, "Trading endpoints", "Account endpoints", "Wallet", and the same of USDⓈ-M futures.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from aiohttp import web

from tests.venues import binance_messages as shapes
from tests.venues.exchange import Exchange, Execution, Refusal, Resting

RETRY_AFTER: Final = 7
CLIENT_ID: Final = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
ORDER_PARAMS: Final = {
    "symbol", "side", "type", "timeInForce", "quantity", "price", "stopPrice", "newClientOrderId", "newOrderRespType",
}  # fmt: skip
DAY: Final = 86_400_000

SPOT_WORDS: Final = {
    "insufficient-funds": (-2010, "Account has insufficient balance for requested action."),
    "duplicate-id": (-2010, "Duplicate order sent."),
    "bad-quantity": (-1013, "Filter failure: LOT_SIZE"),
    "bad-price": (-1013, "Filter failure: PRICE_FILTER"),
    "below-minimum": (-1013, "Filter failure: NOTIONAL"),
    "market-closed": (-1013, "Market is closed."),
    "unknown-symbol": (-1121, "Invalid symbol."),
    "not-open": (-2011, "Unknown order sent."),
}
FUTURES_WORDS: Final = SPOT_WORDS | {
    "insufficient-funds": (-2019, "Margin is insufficient."),
    "duplicate-id": (-4116, "ClientOrderId is duplicated."),
    "bad-quantity": (-1111, "Precision is over the maximum defined for this asset."),
    "bad-price": (-4014, "Price not increased by tick size."),
    "below-minimum": (-4164, "Order's notional must be no smaller than 5 (unless you choose reduce only)."),
}


class Problem(Exception):
    """An answer that is an error, as Binance writes it."""

    def __init__(self, code: int, message: str, status: int = 400, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.data = code, message, status, data

    def answer(self) -> web.Response:
        body = {"code": self.code, "msg": self.message} | ({"data": self.data} if self.data else {})
        headers = {"Retry-After": str(RETRY_AFTER)} if self.status in {418, 429} else None
        return web.json_response(body, status=self.status, headers=headers)


class Answers:
    """Called with the exchange's lock held; raise Problem or Refusal."""

    def __init__(self, exchange: Exchange, *, perpetual: bool, may_withdraw: bool) -> None:
        self.exchange, self.perpetual, self.may_withdraw = exchange, perpetual, may_withdraw
        self.withdrawal_fee = Decimal(0)

    def table(self) -> dict[tuple[str, str], Callable[[dict[str, str]], Any]]:
        restrictions = {
            ("GET", "sapi/v1/account/apiRestrictions"): self._restrictions,
            ("GET", "sapi/v1/capital/deposit/hisrec"): self._deposits,
            ("GET", "sapi/v1/capital/withdraw/history"): self._withdrawals,
        }
        if self.perpetual:
            one = shapes.futures_order
            return restrictions | {
                ("POST", "fapi/v1/order"): lambda asked: one(self._submit(asked)),
                ("DELETE", "fapi/v1/order"): lambda asked: one(self._cancel(asked)),
                ("GET", "fapi/v1/order"): lambda asked: one(self._find(asked)),
                ("GET", "fapi/v1/openOrders"): lambda asked: [one(each) for each in self._orders(asked, only_open=True)],
                ("GET", "fapi/v1/allOrders"): lambda asked: [one(each) for each in self._orders(asked)],
                ("GET", "fapi/v1/userTrades"): lambda asked: [shapes.futures_trade(each) for each in self._trades(asked, 7)],
                ("GET", "fapi/v3/account"): lambda asked: shapes.futures_account(self.exchange),
                ("GET", "fapi/v3/balance"): lambda asked: shapes.futures_account(self.exchange)["assets"],
                ("GET", "fapi/v3/positionRisk"): self._positions,
                ("GET", "fapi/v1/income"): self._income,
            }
        return restrictions | {
            ("POST", "api/v3/order"): lambda asked: shapes.spot_placed(self._submit(asked)),
            ("DELETE", "api/v3/order"): lambda asked: shapes.spot_cancelled(self._cancel(asked)),
            ("GET", "api/v3/order"): lambda asked: shapes.spot_order(self._find(asked)),
            ("POST", "api/v3/order/cancelReplace"): self._replace,
            ("GET", "api/v3/openOrders"): lambda asked: [shapes.spot_order(one) for one in self._orders(asked, only_open=True)],
            ("GET", "api/v3/allOrders"): lambda asked: [shapes.spot_order(one) for one in self._orders(asked)],
            ("GET", "api/v3/myTrades"): lambda asked: [shapes.spot_trade(one) for one in self._trades(asked, 1)],
            ("GET", "api/v3/account"): lambda asked: shapes.spot_account(
                self.exchange, omit_zero=asked.get("omitZeroBalances") == "true"
            ),
        }

    # -- orders ----------------------------------------------------------------------------------------------------

    def _submit(self, asked: dict[str, str]) -> Resting:
        known = ORDER_PARAMS | ({"reduceOnly"} if self.perpetual else set())
        if set(asked) - known:
            raise Problem(-1104, "Not all sent parameters were read.")
        kind = shapes.TYPES.get(asked.get("type", ""))
        if kind is None or (self.perpetual and "stop" in kind):
            raise Problem(-1116, "Invalid orderType.")
        needed = ["symbol", "side", "quantity"]
        needed += ["price", "timeInForce"] if "limit" in kind else []
        needed += ["stopPrice"] if "stop" in kind else []
        for name in needed:
            if not asked.get(name):
                raise Problem(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        for name in {"price", "timeInForce", "stopPrice"} & set(asked):
            if name not in needed:
                raise Problem(-1106, f"Parameter '{name}' sent when not required.")
        client_id = asked.get("newClientOrderId") or secrets.token_hex(11)
        if not CLIENT_ID.fullmatch(client_id):
            raise Problem(-1100, "Illegal characters found in parameter 'newClientOrderId'.")
        return self.exchange.submit(
            client_order_id=client_id,
            symbol=asked["symbol"],
            side=asked["side"].lower(),
            type=kind,
            quantity=Decimal(asked["quantity"]),
            limit_price=Decimal(asked["price"]) if "price" in asked else None,
            stop_price=Decimal(asked["stopPrice"]) if "stopPrice" in asked else None,
            time_in_force=asked.get("timeInForce", "GTC").lower(),
            reduce_only=asked.get("reduceOnly") == "true",
        )

    def _named(self, symbol: str, order_id: str | None, client_id: str | None) -> Resting | None:
        found = self.exchange.orders.get(int(order_id)) if order_id else self.exchange.by_client_id(client_id or "")
        return found if found is not None and found.symbol == symbol else None

    def _cancel(self, asked: dict[str, str]) -> Resting:
        order = self._named(asked["symbol"], asked.get("orderId"), asked.get("origClientOrderId"))
        if order is None:
            raise Problem(-2011, "Unknown order sent.")
        return self.exchange.cancel(order)

    def _find(self, asked: dict[str, str]) -> Resting:
        order = self._named(asked["symbol"], asked.get("orderId"), asked.get("origClientOrderId"))
        if order is None:
            raise Problem(-2013, "Order does not exist.")
        return order

    def _replace(self, asked: dict[str, str]) -> dict[str, Any]:
        cancel = {"symbol": asked["symbol"], "orderId": asked.pop("cancelOrderId", "")}
        cancel["origClientOrderId"] = asked.pop("cancelOrigClientOrderId", "")
        assert asked.pop("cancelReplaceMode") == "STOP_ON_FAILURE"
        try:
            cancelled = shapes.spot_cancelled(self._cancel(cancel))
        except (Problem, Refusal):
            no = {"code": -2011, "msg": "Unknown order sent."}
            data = {
                "cancelResult": "FAILURE",
                "newOrderResult": "NOT_ATTEMPTED",
                "cancelResponse": no,
                "newOrderResponse": None,
            }
            raise Problem(-2022, "Order cancel-replace failed.", 400, data) from None
        try:
            placed = shapes.spot_placed(self._submit(asked))
        except Refusal as refusal:
            code, message = SPOT_WORDS[refusal.code]
            data = {
                "cancelResult": "SUCCESS", "newOrderResult": "FAILURE", "cancelResponse": cancelled,
                "newOrderResponse": {"code": code, "msg": message},
            }  # fmt: skip
            raise Problem(-2021, "Order cancel-replace partially failed.", 409, data) from None
        return {
            "cancelResult": "SUCCESS", "newOrderResult": "SUCCESS", "cancelResponse": cancelled, "newOrderResponse": placed,
        }  # fmt: skip

    def _orders(self, asked: dict[str, str], *, only_open: bool = False) -> list[Resting]:
        every = self.exchange.open_orders() if only_open else list(self.exchange.orders.values())
        return [one for one in every if asked.get("symbol") in {None, one.symbol}]

    # -- history ---------------------------------------------------------------------------------------------------

    @staticmethod
    def _period(asked: dict[str, str], most_days: int) -> tuple[int, int]:
        start, end = int(asked.get("startTime", 0)), int(asked.get("endTime", 1 << 62))
        if "startTime" in asked and "endTime" in asked and end - start > most_days * DAY:
            raise Problem(-1127, f"More than {most_days * 24} hours between startTime and endTime.")
        return start, end

    def _trades(self, asked: dict[str, str], most_days: int) -> list[Execution]:
        start, end = self._period(asked, most_days)
        found = [
            one for one in self.exchange.fills if one.order.symbol == asked["symbol"] and start <= shapes.ms(one.at) <= end
        ]
        return found[: min(int(asked.get("limit", "500")), 1000)]

    def _flows(self, asked: dict[str, str], kind: str) -> list[tuple[int, str, str, Decimal, datetime]]:
        start, end = self._period(asked, 90)
        return [one for one in self.exchange.flows if one[1] == kind and start <= shapes.ms(one[4]) <= end]

    def _deposits(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        return [
            {
                "id": str(number), "amount": str(amount), "coin": currency, "network": "ETH", "status": 1, "address": "0x0",
                "addressTag": "", "txId": f"0x{number}", "insertTime": shapes.ms(at), "transferType": 0,
                "confirmTimes": "1/1", "unlockConfirm": 12, "walletType": 0,
            }
            for number, _, currency, amount, at in self._flows(asked, "deposit")
        ]  # fmt: skip

    def _withdrawals(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        return [
            {
                "id": str(number), "amount": str(-amount - self.withdrawal_fee),
                "transactionFee": str(self.withdrawal_fee), "coin": currency, "status": 6,
                "address": "0x0", "txId": f"0x{number}", "applyTime": at.strftime("%Y-%m-%d %H:%M:%S"), "network": "ETH",
                "transferType": 0, "info": "", "walletType": 0,
            }
            for number, _, currency, amount, at in self._flows(asked, "withdrawal")
        ]  # fmt: skip

    def _income(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        """With what fills cost in it, which must not be booked twice."""
        start, end = self._period(asked, 200)
        kinds = {"deposit": "TRANSFER", "withdrawal": "TRANSFER", "funding": "FUNDING_FEE"}
        found = [(number, kinds[kind], currency, amount, at) for number, kind, currency, amount, at in self.exchange.flows]
        found += [(one.id, "COMMISSION", one.fee_currency, -one.fee, one.at) for one in self.exchange.fills]
        return [
            {
                "symbol": "", "incomeType": kind, "income": shapes.digits(amount), "asset": currency, "info": kind,
                "time": shapes.ms(at), "tranId": number, "tradeId": "",
            }
            for number, kind, currency, amount, at in sorted(found, key=lambda one: one[4])
            if start <= shapes.ms(at) <= end
        ]  # fmt: skip

    def _positions(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        return [shapes.futures_position(self.exchange, symbol) for symbol, size in self.exchange.positions.items() if size]

    def _restrictions(self, asked: dict[str, str]) -> dict[str, Any]:
        return {
            "ipRestrict": False, "createTime": 1698645219000, "enableReading": True, "enableWithdrawals": self.may_withdraw,
            "enableInternalTransfer": False, "enableMargin": False, "enableFutures": self.perpetual,
            "permitsUniversalTransfer": False, "enableVanillaOptions": False, "enableFixApiTrade": False,
            "enableFixReadOnly": False, "enableSpotAndMarginTrading": True, "enablePortfolioMarginTrading": False,
        }  # fmt: skip
