"""Requests to Alpaca through alpaca-py, and what came of each in the words of the protocol.

alpaca-py sends a request up to four times where 429 or 504 is answered, sleeping in between, and waits without end for an
answer. An order sent twice may be bought twice, so this client sends once, with a timeout, and says what it knows.
"""

from __future__ import annotations

import json
import ssl
import time
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final, NoReturn, TypeVar

import requests
from requests import exceptions as wrong
from urllib3 import exceptions as transport

from trading.brokers.alpaca.messages import Unreadable
from trading.brokers.alpaca.refusals import NOT_FOUND, refusal
from trading.brokers.protocol import BadCredentials, BrokerError, NotSent, OutcomeUnknown, RateLimited, Unavailable

with warnings.catch_warnings():
    # Its package imports a part of websockets that is going away; the stream here does not use it.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.trading.client import TradingClient

T = TypeVar("T")

WINDOW: Final = 60.0
"""Seconds in which Alpaca counts requests: the longest that it can be worth to wait."""


class Absent(Unavailable):
    """Alpaca says that it has no such order; to any other question, that is no answer."""


class Client(TradingClient):
    """alpaca-py's client, sending once; raises the protocol's errors.

    ``raw_data`` keeps answers as they came: its models would make numbers of fills floats.
    """

    def __init__(self, key: str, secret: str, *, is_paper: bool, base_url: str, timeout: float) -> None:
        super().__init__(key, secret, paper=is_paper, raw_data=True, url_override=base_url.rstrip("/") or None)
        self._secrets = (secret, key)
        self._timeout = timeout

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
        """The one place where alpaca-py speaks HTTP. Never asks its caller to try again, so there is no second request."""
        changes = method.upper() != "GET"
        try:
            response = self._session.request(method, url, timeout=self._timeout, **opts)
        except (wrong.InvalidHeader, UnicodeError):
            # Its text shows the header, which is the key.
            raise BadCredentials("The key or the secret has characters that cannot be sent.") from None
        except (wrong.InvalidURL, wrong.InvalidSchema, wrong.MissingSchema):
            raise _undone(changes, "Alpaca's address cannot be used.") from None
        except requests.RequestException as error:
            raise _broken(changes, error) from None
        if not 200 <= response.status_code < 300:
            self._refuse(changes, response)
        if not response.content:
            return None
        try:
            return json.loads(response.content, parse_float=Decimal)
        except ValueError:
            raise _unknown(changes, "Alpaca's answer cannot be read.") from None

    def _refuse(self, changes: bool, response: requests.Response) -> NoReturn:
        """What an answer other than 2xx means."""
        status, (code, said) = response.status_code, self._said(response)
        if status == 429:
            raise RateLimited("Alpaca had too many requests for this account.", _wait(response))
        if status == 401 or (status in {403, 451} and not code):
            # The edge of Alpaca answers 403 without a code where a key belongs to the other environment.
            raise BadCredentials("Alpaca does not accept the key.")
        if status >= 500 or status < 400:
            raise _unknown(changes, f"Alpaca answered with HTTP {status}.")
        if not changes and (code == NOT_FOUND or (status == 404 and "order not found" in said.lower())):
            raise Absent("Alpaca has nothing of that name.")
        if not changes:
            raise Unavailable(f"Alpaca did not answer the question (HTTP {status}): {said or 'no reason'}")
        if not code and not said:
            # Not Alpaca's own words: something between us and it, which may have passed the request on.
            raise OutcomeUnknown(f"Something answered for Alpaca with HTTP {status}.")
        raise refusal(status, code, said)

    def _said(self, response: requests.Response) -> tuple[int, str]:
        """``code`` and ``message`` of an error, without anything that opens the account and not longer than a sentence."""
        try:
            body = json.loads(response.content)
        except ValueError:
            return 0, ""
        if not isinstance(body, dict):
            return 0, ""
        code, said = body.get("code"), body.get("message")
        words = said if isinstance(said, str) else ""
        for secret in self._secrets:
            words = words.replace(secret, "***")
        words = "".join(one if one.isprintable() else " " for one in words)[:200].strip()
        return code if isinstance(code, int) else 0, words

    def close(self) -> None:
        self._session.close()


def read(answer: Any, how: Callable[[Any], T], *, changed: bool = False) -> T:
    """``how(answer)``; where it cannot be read, a change has an unknown outcome and a question none."""
    try:
        return how(answer)
    except Unreadable as error:
        raise _unknown(changed, f"Alpaca's answer cannot be read: {error}.") from None


def before_a_change(question: Callable[[], T]) -> T:
    """A question that has to be answered before something can be changed: without it, nothing is sent."""
    try:
        return question()
    except Unavailable as error:
        raise NotSent(error.message) from None


def _unknown(changes: bool, message: str) -> BrokerError:
    return OutcomeUnknown(message) if changes else Unavailable(message)


def _undone(changes: bool, message: str) -> BrokerError:
    return NotSent(message) if changes else Unavailable(message)


def _broken(changes: bool, error: requests.RequestException) -> BrokerError:
    """A connection that was never made carried nothing; of any other nobody knows how far the request came."""
    if any(isinstance(one, transport.ConnectTimeoutError | transport.NewConnectionError) for one in _causes(error)):
        return _undone(changes, "Alpaca could not be reached.")
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in _causes(error)):
        return _undone(changes, "What answered for Alpaca has no valid certificate.")
    if isinstance(error, wrong.Timeout):
        return _unknown(changes, "Alpaca did not answer in time.")
    return _unknown(changes, "The connection to Alpaca broke.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps: requests and urllib3 hand on the first one as an argument, a reason or a context."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]


def _wait(response: requests.Response) -> float:
    """Seconds until the next request: as Retry-After says, else to the end of the window (X-RateLimit-Reset), else a window."""
    for name, now in (("Retry-After", 0.0), ("X-RateLimit-Reset", time.time())):
        try:
            seconds = float(response.headers[name]) - now
        except (KeyError, ValueError):
            continue
        return min(max(seconds, 0.0), WINDOW)
    return WINDOW
