"""What the gateway's error codes and words mean. A code is another thing at each address; one that is missing here (still
pending, an unknown error, or newer than this) proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an error code of one address means: ``code`` as of ``Refused``."""

    code: str
    message: str


NO_ACCOUNT: Final = Refusal("trading-disabled", "TopstepX does not have this account for this user.")
PLACE: Final = {
    1: NO_ACCOUNT,
    2: Refusal("", ""),  # rejected: the reason is in the words alone
    3: Refusal("insufficient-funds", "The account has too little for this order."),
    4: Refusal("trading-disabled", "The account broke a rule of the firm and cannot trade."),
    5: Refusal("market-closed", "The market is closed."),
    8: Refusal("unknown-symbol", "TopstepX does not know this contract."),
    9: Refusal("unknown-symbol", "This contract is not the one that is traded now."),
    10: Refusal("trading-disabled", "TopstepX does not let this account place orders."),
}
CANCEL: Final = {
    1: NO_ACCOUNT,
    2: Refusal("not-open", "TopstepX has no such order any more."),
    3: Refusal("venue-refused", "TopstepX refused to cancel the order."),
    6: Refusal("trading-disabled", "TopstepX does not let this account cancel: it is live, or copies another."),
}
MODIFY: Final = {
    1: NO_ACCOUNT,
    2: Refusal("not-open", "TopstepX has no such order any more."),
    3: Refusal("", ""),
    6: Refusal("trading-disabled", "TopstepX does not let this account change orders."),
    7: Refusal("unknown-symbol", "TopstepX does not know this contract."),
}

LOGIN_ERRORS: Final = {
    1: "TopstepX does not know this user.",
    2: "TopstepX does not accept this user and key.",
    3: "TopstepX does not accept this user and key.",
    4: "TopstepX does not accept this user and key.",
    5: "TopstepX does not accept this user and key.",
    6: "TopstepX does not accept this device.",
    7: "TopstepX waits for its agreements to be signed in its platform.",
    9: "The user has no subscription for the API of TopstepX.",
    10: "Logging in by key is switched off for this user at TopstepX.",
}

REASONS: Final = (
    (("custom tag", "customtag"), "duplicate-id", "TopstepX has had an order of this client order id."),
    (
        ("trading status", "currently unavailable", "trading hours", "market is closed"),
        "market-closed",
        "The market is closed.",
    ),
    (("price", "tick size"), "bad-price", "TopstepX does not accept this price."),
    (("margin", "funds", "balance"), "insufficient-funds", "The account has too little for this order."),
    (("maximum position", "size", "quantity"), "bad-quantity", "TopstepX does not accept this quantity."),
    (("invalid symbol", "invalid contract"), "unknown-symbol", "TopstepX does not trade this contract."),
)


def reason(message: str) -> Refusal:
    """What a rejection without a code of its own means, of which the venue tells the words alone; they go no further.

    The words are those of its reference and of public reports; whatever else it says is ``venue-refused``.
    """
    words = message.lower()
    for signs, code, ours in REASONS:
        if any(sign in words for sign in signs):
            return Refusal(code, ours)
    return Refusal("venue-refused", "TopstepX refused the request.")
