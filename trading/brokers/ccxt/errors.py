"""From what went wrong in ccxt to what that proves. The rule: a refusal is believed only where the venue's own answer says
no; everything else that may have left is unknown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import ccxt

from trading.brokers.ccxt.codes import SENTENCES, Verdict
from trading.brokers.ccxt.dialects import Dialect
from trading.brokers.ccxt.wire import Answer, never_left
from trading.brokers.protocol import (
    BadCredentials,
    BrokerError,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Unavailable,
)

DEFAULT_WAIT: Final = 10.0
BAN_WAIT: Final = 120.0
"""What to wait where the venue does not say: 418 is a ban of two minutes at least."""

SHORT_CODE: Final = re.compile(r"-?\d{1,10}|[A-Z][A-Z_]{2,60}|E[A-Z][A-Za-z]+:[A-Za-z ]{1,60}")
"""Numbers, words in capitals, and Kraken's "EOrder:Insufficient funds"."""

# Most special first. ccxt raises these for answers that it recognises, and some of them before anything is sent.
BY_CLASS: Final[Sequence[tuple[type[Exception], Verdict]]] = (
    (ccxt.DuplicateOrderId, Verdict.DUPLICATE_ID),
    (ccxt.InsufficientFunds, Verdict.INSUFFICIENT_FUNDS),
    (ccxt.OrderNotFound, Verdict.MISSING),
    (ccxt.OrderImmediatelyFillable, Verdict.WOULD_CROSS),
    (ccxt.ContractUnavailable, Verdict.UNKNOWN_SYMBOL),
    (ccxt.InvalidOrder, Verdict.REFUSED),
    (ccxt.BadSymbol, Verdict.UNKNOWN_SYMBOL),
    (ccxt.BadRequest, Verdict.REFUSED),
    (ccxt.ArgumentsRequired, Verdict.REFUSED),
    (ccxt.MarketClosed, Verdict.MARKET_CLOSED),
    (ccxt.AccountNotEnabled, Verdict.TRADING_DISABLED),
    (ccxt.AccountSuspended, Verdict.TRADING_DISABLED),
    (ccxt.RestrictedLocation, Verdict.CREDENTIALS),
    (ccxt.AuthenticationError, Verdict.CREDENTIALS),
    (ccxt.OperationRejected, Verdict.REFUSED),
    (ccxt.NotSupported, Verdict.REFUSED),
    (ccxt.ChecksumError, Verdict.UNKNOWN),
    (ccxt.InvalidNonce, Verdict.CLOCK),
    (ccxt.RateLimitExceeded, Verdict.RATE),
    (ccxt.DDoSProtection, Verdict.RATE),
)


def judge(error: BaseException, answer: Answer | None, may_have_changed: bool, dialect: Dialect) -> Verdict:
    """What ``error`` proves about the request that it ended.

    ``may_have_changed``: something other than a question may have reached the venue since the operation began.
    """
    if answer is not None:
        said = _by_body(answer, dialect)
        if said is not None:
            return said
        if answer.status in {418, 429}:
            return Verdict.RATE
        if answer.status >= 500 or answer.status == 408:
            return Verdict.UNKNOWN
    for kind, verdict in BY_CLASS:
        # Without an answer a class proves only what ccxt itself refused to send.
        if isinstance(error, kind) and (answer is not None or not may_have_changed):
            return verdict
    if answer is None:
        # No changing request got away: none was begun, or no connection was made for it.
        local = isinstance(error, ccxt.NetworkError) or never_left(error)
        return Verdict.TURNED_AWAY if local and not may_have_changed else Verdict.UNKNOWN
    if answer.status == 403:  # a firewall in front of the venue
        return Verdict.TURNED_AWAY
    if (400 <= answer.status < 500 and answer.status != 409) or answer.json.get("success") is False:
        return Verdict.REFUSED
    return Verdict.UNKNOWN


def _by_body(answer: Answer, dialect: Dialect) -> Verdict | None:
    for phrase, verdict in dialect.phrases:
        if phrase in answer.body:
            return verdict
    return dialect.codes.get(str(answer.json.get("code", "")))


def venue_code(answer: Answer | None) -> str:
    """The venue's short code of its answer, to look up; never its text, which may hold anything."""
    if answer is None:
        return ""
    told = answer.json
    found = told.get("code") or told.get("error") or (told.get("error_response") or {}).get("error")
    if isinstance(found, list):
        found = found[0] if found else ""
    text = str(found) if isinstance(found, str | int) else ""
    if SHORT_CODE.fullmatch(text):
        return text
    return f"HTTP {answer.status}" if answer.status >= 400 else ""


def as_change_error(verdict: Verdict, answer: Answer | None) -> BrokerError:
    """The error for a request that changes something."""
    message = _message(verdict, answer)
    match verdict:
        case Verdict.UNKNOWN:
            return OutcomeUnknown(message)
        case Verdict.CREDENTIALS:
            return BadCredentials(message)
        case Verdict.RATE:
            return RateLimited(message, _wait(answer))
        case Verdict.TURNED_AWAY | Verdict.CLOCK:
            return NotSent(message)
        case Verdict.MISSING:
            return Refused(Verdict.NOT_OPEN, message)
        case _:
            return Refused(verdict.value, message)


def as_question_error(verdict: Verdict, answer: Answer | None) -> BrokerError:
    """The error for a request that asks."""
    match verdict:
        case Verdict.CREDENTIALS:
            return BadCredentials(_message(verdict, answer))
        case Verdict.RATE:
            return RateLimited(_message(verdict, answer), _wait(answer))
        case _:
            code = venue_code(answer)
            return Unavailable("The venue did not answer the question" + (f" ({code})." if code else "."))


def _message(verdict: Verdict, answer: Answer | None) -> str:
    code = venue_code(answer)
    return f"{SENTENCES[verdict]} ({code})" if code else SENTENCES[verdict]


def _wait(answer: Answer | None) -> float:
    told = answer.retry_after if answer is not None else None
    if told is not None:
        return told
    return BAN_WAIT if answer is not None and answer.status == 418 else DEFAULT_WAIT
