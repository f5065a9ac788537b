"""How a client of ccxt is called: with its instruments loaded, its clock right, and nothing but our errors coming out."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import ccxt

from marketdata.providers.one_exchange import found
from trading.brokers.ccxt.codes import Verdict
from trading.brokers.ccxt.dialects import Dialect
from trading.brokers.ccxt.errors import as_change_error, as_question_error, judge
from trading.brokers.protocol import BrokerError, Endpoint, NotSent, Refused, Unavailable

Result = TypeVar("Result")

KEPT_FOR: Final = 3600.0
"""Seconds for which one list of an exchange's instruments serves all accounts of a process: it is megabytes long."""

_kept: dict[tuple[str, str, str, bool], tuple[float, Any]] = {}


class Calls:
    def __init__(self, client: Any, dialect: Dialect, endpoint: Endpoint) -> None:
        self._client, self._dialect = client, dialect
        self._key = (client.id, endpoint.market, endpoint.base_url, endpoint.is_paper)

    def change(self, act: Callable[[], Result]) -> Result:
        """For what changes something. Raises Refused, NotSent, RateLimited, OutcomeUnknown or BadCredentials."""
        try:
            self.load()
        except Unavailable as error:
            not_sent = NotSent(error.message)
        else:
            return self._run(act, as_change_error)
        raise not_sent

    def ask(self, act: Callable[[], Result], *, missing_is_none: bool = False) -> Result:
        """For questions. Raises Unavailable, RateLimited or BadCredentials."""
        self.load()
        try:
            return self._run(act, as_question_error, missing_is_none=missing_is_none)
        except Refused as error:
            unavailable = Unavailable(error.message)
        raise unavailable

    def load(self) -> None:
        """The exchange's instruments, where they are not known yet."""
        if self._client.markets:
            return
        kept = _kept.get(self._key)
        if kept is not None and time.monotonic() - kept[0] < KEPT_FOR:
            self._client.set_markets_from_exchange(kept[1])
            return
        self._run(self._client.load_markets, as_question_error)
        if self._dialect.shares_instruments:
            keeper = found(ccxt, self._client.id)()  # without credentials
            keeper.session.close()
            _kept[self._key] = (time.monotonic(), keeper.set_markets_from_exchange(self._client))

    def loaded(self) -> Any:
        self.load()
        return self._client

    def now(self) -> datetime:
        """By the venue's clock, as far as it is known."""
        return datetime.now(UTC) - timedelta(milliseconds=int(self._client.options.get("timeDifference") or 0))

    def close(self) -> None:
        self._client.session.close()

    def _run(self, act: Callable[[], Result], as_error: Callable[..., BrokerError], *, missing_is_none: bool = False) -> Result:
        error: BrokerError | None = None
        for again in (True, False):
            self._client.begin()
            try:
                return act()
            except BrokerError:
                raise
            except Exception as caught:
                answer = self._client.answer
                verdict = judge(caught, answer, self._client.may_have_changed, self._dialect)
                if verdict is Verdict.MISSING and missing_is_none:
                    return None  # type: ignore[return-value]
                error = as_error(verdict, answer)
            # That the clock was wrong proves that nothing happened: the same request may be sent once more.
            if verdict is not Verdict.CLOCK or not again or not self._set_clock():
                break
        # Outside of the handler: what ccxt raised names addresses and answers, and must not come along as a context.
        raise error  # type: ignore[misc]

    def _set_clock(self) -> bool:
        try:
            self._client.load_time_difference()
        except Exception:
            return False
        return True
