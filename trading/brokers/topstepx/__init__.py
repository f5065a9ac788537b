"""TopstepX, and other firms on the ProjectX Gateway: futures, over the gateway's REST and its SignalR user hub.

What is known of the gateway is from its published reference and OpenAPI description (September 2026); what neither says is
named here as an assumption.

* Time in force: an order has none. It rests until it is filled or cancelled, or until the venue ends it (a firm's rules may
  demand a flat account before the session ends), so ``gtc`` is all that is offered.
* Types: market, limit and stop. Stop-limit exists in answers and is not documented for placing.
* The client order id is ``customTag``: unique for the account for ever, of rejected orders too. It cannot be asked for: orders
  are looked through (``account.RECENT``, then open ones, then all there ever were).
* Modifying keeps the order and its tag: after ``replace`` the order is still found by the client order id of ``key``, and that
  of the request is nowhere.
* The account has no currency in the answers. Assumption: all is in US dollars, as the contracts are.
* Cancelling is documented for simulated accounts that copy no other; others are answered with Refused("trading-disabled").
* Topstep's own rules, which no answer tells: automation has to run on the trader's own machine, not on a rented server.
* There is no reduce-only (the position is asked for before such an order is sent), no margin, and no history of deposits.
  Nothing in the interface withdraws money.
"""

from trading.brokers.topstepx.broker import TopstepXBroker
from trading.brokers.topstepx.messages import Contract

__all__ = ["Contract", "TopstepXBroker"]
