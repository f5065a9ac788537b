"""One account of the user: which one it is, and its orders, which the gateway only lists and does not look up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from trading.brokers.protocol import BadCredentials, OrderKey, State, VenueOrder
from trading.brokers.topstepx.gateway import Gateway
from trading.brokers.topstepx.messages import Row, read, rows_of, to_order

RECENT: Final = timedelta(days=7)
"""How far back an order is looked for at first: a weekend and a holiday without us. Before "no such order" is said, all open
orders and then all there ever were are looked through, however large the answer."""
BEGINNING: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""Before the gateway's first order."""


class Account:
    """Asks; every method raises Unavailable, RateLimited or BadCredentials.

    Parameters
    ----------
    wanted : str
        Id or name; empty is the first that may trade.
    simulated : bool
        Without ``wanted``, only among those whose money is not real.
    """

    def __init__(self, gateway: Gateway, *, wanted: str, simulated: bool) -> None:
        self._gateway, self._wanted, self._simulated = gateway, wanted, simulated
        self._id: int | None = None

    def id(self) -> int:
        return int(self.row()["id"]) if self._id is None else self._id

    def row(self) -> dict[str, Any]:
        """The account as it is now. Which one it is, is chosen once."""
        data = self._gateway.ask("/api/Account/search", onlyActiveAccounts=False)
        rows = read(_account, rows_of(data, "accounts"))
        if self._id is not None:
            rows = [row for row in rows if row["id"] == self._id]
        elif self._wanted:
            rows = [row for row in rows if self._wanted in {str(row["id"]), row["name"]}]
        else:
            rows = [row for row in rows if row.get("simulated") or not self._simulated]
            rows.sort(key=lambda row: not (row["canTrade"] and row.get("isVisible", True)))
        if not rows:
            raise BadCredentials("This user has no such account at TopstepX.")
        self._id = rows[0]["id"]
        return rows[0]

    def rows(self, path: str, name: str, **body: object) -> list[Row]:
        """The list ``name`` of the answer to a question about this account."""
        return rows_of(self._gateway.ask(path, accountId=self.id(), **body), name)

    def order(self, key: OrderKey) -> VenueOrder | None:
        for rows in self._all_orders():
            same = [row for row in rows if _is(row, key)]
            # A rejected order keeps its tag: one that was taken goes before it.
            for order in sorted(read(to_order, same), key=lambda one: one.state is State.REJECTED):
                # The list of open orders is documented without tags; which one was found is known.
                return replace(order, client_order_id=order.client_order_id or key.client_order_id)
        return None

    def open_orders(self) -> list[VenueOrder]:
        """The venue's list of open ones is documented to hold neither pending nor suspended orders, and to tell no tags. So the
        recent ones are read with it, and all there ever were where an older one came without a tag."""
        listed = self.rows("/api/Order/searchOpen", "orders")
        told = self._orders_since(datetime.now(UTC) - RECENT)
        known = {row.get("id") for row in told}
        older = [row for row in listed if row.get("id") not in known]
        if any("customTag" not in row for row in older):
            wanted = {row.get("id") for row in older}
            older = [row for row in self._orders_since(BEGINNING) if row.get("id") in wanted]
        return [order for order in read(to_order, [*older, *told]) if order.state.is_open]

    def _all_orders(self) -> Iterable[list[Row]]:
        yield self._orders_since(datetime.now(UTC) - RECENT)
        yield self.rows("/api/Order/searchOpen", "orders")
        yield self._orders_since(BEGINNING)

    def _orders_since(self, since: datetime) -> list[Row]:
        return self.rows("/api/Order/search", "orders", startTimestamp=since.isoformat())


def _account(row: Row) -> dict[str, Any]:
    return {
        **row,
        "id": int(row["id"]),
        "name": str(row["name"]),
        "canTrade": bool(row["canTrade"]),
        "balance": Decimal(row["balance"]),
    }


def _is(row: Row, key: OrderKey) -> bool:
    if key.venue_order_id:
        return str(row.get("id")) == key.venue_order_id
    return bool(key.client_order_id) and row.get("customTag") == key.client_order_id
