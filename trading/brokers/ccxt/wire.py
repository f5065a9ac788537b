"""ccxt's clients, made so that they can be trusted: pointed where we say, silent about secrets, and able to say afterwards
what was sent and what was answered."""

from __future__ import annotations

import json
import logging
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import ccxt
import requests
import urllib3

from marketdata.providers.one_exchange import found
from trading.brokers.ccxt.codes import Verdict
from trading.brokers.ccxt.dialects import Dialect
from trading.brokers.protocol import Credentials, Endpoint, Refused

QUERY: Final = re.compile(r"\?\S*")


class WithoutQueries(logging.Filter):
    """urllib3 logs addresses when it is asked for details; signatures and listen keys stand in their queries."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(QUERY.sub("?…", one) if isinstance(one, str) else one for one in record.args)
        return True


logging.getLogger("urllib3.connectionpool").addFilter(WithoutQueries())

# ccxt logs headers and bodies with keys and signatures in them when it is asked for details: its clients get a logger that
# says nothing below a warning, whatever the application's settings are.
SILENT: Final = logging.Logger("trading.brokers.ccxt.wire", level=logging.ERROR)


@dataclass(frozen=True, slots=True)
class Answer:
    """The newest HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def retry_after(self) -> float | None:
        try:
            return max(0.0, float(self.headers.get("Retry-After", "")))
        except ValueError:
            return None  # also where it is a date, which none of these exchanges sends


def causes(error: BaseException | None) -> Iterator[object]:
    """The error and everything that it was made of."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, BaseException):
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def never_left(error: BaseException) -> bool:
    """Whether no connection was made, so that nothing can have been sent: refused, no such host, no way to connect in time."""
    return any(
        isinstance(
            one,
            requests.ConnectTimeout
            | urllib3.exceptions.NewConnectionError
            | urllib3.exceptions.ConnectTimeoutError
            | ssl.SSLCertVerificationError,
        )
        for one in causes(error)
    )


class Recording:
    """Mixed into ccxt's synchronous clients."""

    answer: Answer | None = None
    may_have_changed: bool = False
    must_carry: str = ""

    def begin(self) -> None:
        """A new operation of ours begins: one or more requests."""
        self.answer, self.may_have_changed, self.must_carry = None, False, ""

    def sign(self, *said: Any, **named: Any) -> Any:
        self.answer = None
        try:
            return super().sign(*said, **named)  # type: ignore[misc]
        except ccxt.BaseError:
            raise
        except Exception:
            # A secret that is no key at all: not base64, a torn PEM.
            raise ccxt.AuthenticationError("the secret can not be used to sign") from None

    def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        self.answer = None
        if method != "GET" and self.must_carry not in f"{url} {body}":
            # ccxt drops params that it does not know for an exchange. An order without our id could never be found again.
            raise Refused(Verdict.REFUSED, "Orders at this venue can not carry an id of ours; nothing was sent.")
        before, self.may_have_changed = self.may_have_changed, self.may_have_changed or method != "GET"
        try:
            return super().fetch(url, method, headers, body)  # type: ignore[misc]
        except Exception as error:
            if self.answer is None and never_left(error):
                self.may_have_changed = before
            raise

    def on_rest_response(
        self, code: int, reason: str, url: str, method: str, headers: Any, body: str, sent_headers: Any, sent_body: Any
    ) -> str:
        self.answer = Answer(code, headers, body)
        return super().on_rest_response(code, reason, url, method, headers, body, sent_headers, sent_body)  # type: ignore[misc, no-any-return]

    @staticmethod
    def on_json_response(body: str) -> Any:
        return exact_json(body)


def exact_json(text: str | bytes) -> Any:
    """JSON with the digits that were sent: ccxt makes numbers of strings, and no float comes in between."""
    return json.loads(text, parse_float=str)


def rest_client(exchange_id: str, credentials: Credentials, endpoint: Endpoint, dialect: Dialect) -> Any:
    client = _client((Recording,), found(ccxt, exchange_id), credentials, endpoint, dialect)
    # A redirect of a signed request would send it twice, and its key to whoever is named.
    client.session.max_redirects = 0
    return client


def stream_client(mixin: type, exchange_id: str, credentials: Credentials, endpoint: Endpoint, dialect: Dialect) -> Any:
    # Here, because it takes a second to import and most who send orders do not listen.
    import ccxt.pro

    return _client((mixin,), found(ccxt.pro, exchange_id), credentials, endpoint, dialect)


def _client(mixins: tuple[type, ...], base: type, credentials: Credentials, endpoint: Endpoint, dialect: Dialect) -> Any:
    # The class keeps its name: ccxt writes it into messages.
    made = type(base.__name__, (*mixins, base), {})
    client = made(
        {
            "apiKey": credentials.get("api_key"),
            "secret": credentials.get("secret"),
            "password": credentials.get("passphrase"),
            "enableRateLimit": True,
            "timeout": int(endpoint.timeout * 1000),
            "logger": SILENT,
        }
    )
    client.number = str  # digits stay as they were sent; of a Decimal some of ccxt's functions make nothing
    for name, value in dialect.options.items():
        client.options[name] = value
    if dialect.receive_window is not None:
        client.options["recvWindow"] = int(dialect.receive_window.total_seconds() * 1000)
    if not dialect.loads_currencies:
        client.has["fetchCurrencies"] = False
    perpetual = endpoint.market == "perpetual"
    client.options["defaultType"] = "swap" if perpetual else "spot"
    if perpetual:
        client.options["defaultSubType"] = "linear"
    if endpoint.market in dialect.market_types:
        client.options["fetchMarkets"] = {"types": dialect.market_types[endpoint.market], "fetchTickersFees": False}
    if endpoint.base_url:
        client.urls["api"] = moved(client.urls["api"], endpoint.base_url)
    elif endpoint.is_paper:
        _choose_test_environment(client, demo=perpetual and dialect.demo_perpetual)
    return client


def _choose_test_environment(client: Any, *, demo: bool) -> None:
    """Raises Refused where there is none: an account that is meant for play money must never reach the real venue."""
    if not client.urls.get("demo" if demo else "test"):  # many have the entry and nothing in it
        raise Refused("trading-disabled", f"{client.name} has no test environment.")
    if demo:
        client.enable_demo_trading(True)
    else:
        client.set_sandbox_mode(True)


def moved(urls: Any, base_url: str) -> Any:
    """``urls`` (an address, or a mapping or list of them, nested) at ``base_url``: the host is replaced, the path stays."""
    if isinstance(urls, Mapping):
        return {name: moved(one, base_url) for name, one in urls.items()}
    if isinstance(urls, list):
        return [moved(one, base_url) for one in urls]
    if not isinstance(urls, str) or "://" not in urls:
        return urls
    old, new = urlsplit(urls), urlsplit(base_url)
    scheme = new.scheme
    if old.scheme in {"ws", "wss"}:
        scheme = "wss" if new.scheme in {"https", "wss"} else "ws"
    return urlunsplit((scheme, new.netloc, new.path.rstrip("/") + old.path, old.query, ""))
