"""Owns docs/risk.md: the page is made from the parameters and the rules, its example sentences from judging examples.

``python -m trading.risk.documentation`` prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from trading.risk.checks import RULES, Rule
from trading.risk.examples import example
from trading.risk.parameters import APPETITES, PARAMETERS
from trading.risk.situation import Sort
from trading.risk.sizing import Cap
from trading.risk.wording import CAPS

_PREFACE: Final = """# Risk: which orders may go out, how large they are, and when to stop

Made from the rules (`python -m trading.risk.documentation > docs/risk.md`); a test keeps the two equal. `trading/risk/` is
pure: it is told everything, reads no clock and no database, and its money is Decimal.

## The appetite

One number from 1, careful, to 10, bold, sets every limit. No value in between is computed, and no row ever turns: a higher
appetite is never stricter in anything. Each value can be set by hand instead, within its range. A stored profile keeps all
its values, so that a change of this table changes nobody's limits.

"""

_RULES: Final = """
## The rules

Asked in this order; the first that objects gives the reason. Each reason has a stable code, a sentence, and its numbers apart
from it (`value` and `limit`, with their units), so that a page can draw them and say them in any language. What is exactly at
a limit passes, except at the circuit breakers: they trip *at* theirs.

What only closes a position passes every rule about size, money and loss: nobody may be held in a position by a limit. What
protects a position (a stop, a target) and panic pass everything but what no venue could be sent; where there is no connection
or no session, they wait for it. An order that opens anything is judged as opening, whatever it is for. **A reversal is judged
by the part that opens**; where that is refused, its closing half may still be done (`Proposal.closing_half`).

What a rule needs and nobody knows (no sentiment index, no sector, no stop, a calendar that is not known) is not held against
an order: the rule passes and is listed as not checked. A missing price is the exception.

"""

_EXAMPLES: Final = """
What each says, of an ordinary order (4 at 100 with a stop at 95, an account of 10,000, appetite 5) with one thing changed:

"""

_BREAKERS: Final = """
## How the rules count

* **Deployment, account and platform** each are active, reduce-only or halted; the strictest holds.
* **Buying power** is equity × what the broker lends − positions − what open orders will tie up, or what the broker itself
  says is free, where that is less. A short ties up as much as a long. What the order closes is given back.
* **Position size** is what the position would be worth with its open orders. **Exposure** adds up all positions and open
  orders without sign: those in the symbol, in its sector, and in its correlation cluster. **Leverage** adds up everything.
* **Risk per trade** is |price − stop| × the whole position after the order, not only what is added: small additions would
  pass one by one.
* **Price collar**: how much *worse* than the last price. A limit that is better than it is no danger. A stop
  order is held against its trigger instead.
* **Day trades** are opened and closed in one session. What was held overnight may be sold.
* **Extreme fear** holds back purchases that open, not short sales.

## Circuit breakers

| breaker | counts | trips at | goes on |
|---|---|---|---|
| daily loss | what the day lost of the equity it began with | its share | when the account's next day begins; by hand |
| drawdown | the fall from the highest equity | its share | by hand; the equity of then is the new high-water mark |
| losses | losing trades one after another, after fees | its number | by hand |
| infrastructure | errors, stale feeds and lost connections within the window | its number | by hand |

A trade that neither wins nor loses ends a row of losses. A breaker trips exactly at its limit. It stays tripped, whatever the
account does and also when the limit is raised, until it is reset: by hand, with a reason that is kept. While one is tripped
nothing is opened. What else happens is the profile's choice:

| choice | opening orders that wait | positions |
|---|---|---|
| `block` | stay | stay |
| `reduce-only` | are cancelled | stay |
| `liquidate` | are cancelled | are closed at market |

**Money paid in or out** is no profit and no loss. Results are chained on an index, as a fund's unit price is: a deposit does
not hide a loss, a withdrawal does not look like one, and the marks move along. Between two looks at the equity a deposit
counts as made at the first and a withdrawal as made at the last. Fees, funding, interest and dividends are results.

The same facts told twice count once; trades and failures may come late and in any order. After a restart it goes on from what
was stored as if nothing had happened.

Worked, for appetite 5 (2 % a day, 5 % drawdown); a test reads this very table:

| day | equity | paid in | daily loss | drawdown | trips |
|---|---|---|---|---|---|
| 1 | 10000 | 0 | 0.0 % | 0.0 % | – |
| 1 | 9800.01 | 0 | 2.0 % | 2.0 % | – |
| 1 | 9800 | 0 | 2.0 % | 2.0 % | daily-loss |
| 1 | 19800 | 10000 | 2.0 % | 2.0 % | – |
| 1 | 19900 | 10000 | 1.51 % | 1.51 % | – |
| 2 | 19900 | 10000 | 0.0 % | 1.51 % | – |
| 2 | 9900 | 0 | 0.0 % | 1.51 % | – |
| 2 | 9751.5 | 0 | 1.5 % | 2.98 % | – |
| 3 | 9556.47 | 0 | 2.0 % | 4.92 % | daily-loss |
| 3 | 9500 | 0 | 2.58 % | 5.48 % | drawdown |
| 4 | 9500 | 0 | 0.0 % | 5.48 % | – |

## Size

A deployment asks for `target × allocation × equity`. It gets the smallest of what these leave, rounded **down** to the lot,
and never more than it asked for:

"""

_SIZES: Final = """
The stop lies at the profile's distance (in average true ranges) from the market's price, or at the strategy's own stop where
that is nearer, on the tick towards the price. What is sized here is not refused for its size there: both count with the same
prices.

Worked, for an account of 10,000 without other positions, a price of 100, no fee, a tick and a lot of 0.01 (a test reads this
table too):

| appetite | target | allocation | ATR | own stop | regime | quantity | stop | bound by |
|---|---|---|---|---|---|---|---|---|
| 5 | 1 | 0.04 | 2 | – | good | 4 | 93 | allocation |
| 5 | 1 | 0.2 | 2 | – | good | 5 | 93 | position |
| 5 | 1 | 0.2 | 4 | – | good | 3.57 | 86 | risk |
| 5 | 1 | 0.2 | 4 | 95 | good | 5 | 95 | position |
| 5 | -1 | 0.2 | 4 | – | good | -3.57 | 114 | risk |
| 5 | 1 | 0.04 | 2 | – | bad | 2 | 93 | regime |
| 1 | 1 | 0.2 | 2 | – | bad | 0 | – | regime |
| 10 | 0.5 | 1 | 1 | – | good | 25 | 92 | position |
| 5 | 0.5 | 0.04 | – | – | good | 2 | – | allocation |
"""


def appetites() -> Iterator[str]:
    """The table of the appetite, line by line."""
    yield "| parameter | " + " | ".join(str(appetite) for appetite in APPETITES) + " | by hand |"
    yield "|---|" + "---|" * (len(APPETITES) + 1)
    for parameter in PARAMETERS:
        low, high = parameter.said(parameter.minimum), parameter.said(parameter.maximum)
        span = ", ".join(name for name, _ in parameter.choices) or f"{low} – {high}"
        values = " | ".join(parameter.said(value) for value in parameter.columns)
        yield f"| **{parameter.label}** `{parameter.name}` | {values} | {span} |"


def rules() -> Iterator[str]:
    yield "| code | refuses | " + " | ".join(sort.value for sort in Sort) + " |"
    yield "|---|---|" + "---|" * len(Sort)
    for rule in RULES:
        yield f"| `{rule.code}` | {rule.refuses} | {_scopes(rule)} |"


def _scopes(rule: Rule) -> str:
    return " | ".join(rule.scopes[sort].value for sort in Sort)


def page() -> str:
    lines = [*appetites(), ""]
    lines += [f"* **{parameter.label}**: {parameter.help}" for parameter in PARAMETERS]
    examples = ["| code | sentence |", "|---|---|"]
    examples += [f"| `{rule.code}` | {example(rule.code).sentence} |" for rule in RULES]
    caps = ["| bound by | what it is |", "|---|---|", *(f"| `{cap.value}` | {CAPS[cap]} |" for cap in Cap)]
    parts = (_PREFACE, lines, _RULES, list(rules()), _EXAMPLES, examples, _BREAKERS, caps, _SIZES)
    return "".join(part if isinstance(part, str) else "\n".join(part) + "\n" for part in parts)


if __name__ == "__main__":
    sys.stdout.write(page())
