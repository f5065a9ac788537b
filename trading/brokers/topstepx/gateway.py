"""Requests to the gateway: the session token, and what became of a request. Every answer is an envelope of ``success``,
``errorCode`` (whose meaning is another at each address) and ``errorMessage``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import requests
from urllib3.exceptions import NewConnectionError

from trading.brokers.protocol import (
    BadCredentials,
    BrokerError,
    Credentials,
    Endpoint,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Unavailable,
)
from trading.brokers.topstepx.refusals import LOGIN_ERRORS, Refusal, reason

API: Final = "https://api.topstepx.com"
HUB: Final = "https://rtc.topstepx.com"
RETRY_AFTER: Final = 5.0
"""Seconds to wait after a 429 that does not say (the limit is 200 requests in any 60 seconds)."""

UNREAD: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.UNSUPPORTED_MEDIA_TYPE})
INVALID: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})


@dataclass(frozen=True, slots=True)
class Accepted:
    """A change that the venue took, with the venue's time of saying so (whole seconds: HTTP's ``Date``)."""

    data: dict[str, Any]
    at: datetime


def encode(value: object) -> str:
    """JSON in which a Decimal is a number of exactly its own digits."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(name)}:{encode(one)}" for name, one in value.items()) + "}"
    return json.dumps(value)


class Gateway:
    """One user's session with the gateway: logs in when the first request is made, and again when the token is over."""

    def __init__(self, credentials: Credentials, endpoint: Endpoint) -> None:
        self._credentials = credentials
        self._api = (endpoint.base_url or API).rstrip("/")
        self.hub = (endpoint.base_url or HUB).rstrip("/") + "/hubs/user"
        self.timeout = endpoint.timeout
        self._token = ""
        self._session = requests.Session()
        # No proxy and no .netrc from the environment: a .netrc entry would take the place of the token.
        self._session.trust_env = False

    def ask(self, path: str, **body: object) -> dict[str, Any]:
        """The answer to a question. Raises Unavailable, RateLimited or BadCredentials."""
        try:
            response = self._authorised(path, body)
        except RateLimited:
            raise
        except (NotSent, OutcomeUnknown) as error:
            message = error.message
        else:
            self._turned_away(response)
            data = _envelope(response)
            if data is not None and data["success"]:
                return data
            message = f"TopstepX could not answer ({_told(response, data)})."
        raise Unavailable(message)

    def act(self, path: str, refusals: Mapping[int, Refusal], **body: object) -> Accepted:
        """Change something. Raises as ``Broker`` promises; ``refusals`` are the codes that prove that nothing happened."""
        response = self._authorised(path, body)
        self._turned_away(response)
        if response.status_code in UNREAD:
            raise NotSent(f"TopstepX does not offer this here (HTTP {response.status_code}).")
        if response.status_code in INVALID:
            raise Refused("venue-refused", "TopstepX found the request invalid.")
        data = _envelope(response)
        if data is None:
            raise OutcomeUnknown(f"TopstepX did not say what it did ({_told(response, data)}).")
        if data["success"]:
            return Accepted(data, date_of(response) or datetime.now(UTC))
        refusal = refusals.get(data["errorCode"])
        if refusal is None:  # still pending, an unknown error, or a code that is newer than this
            raise OutcomeUnknown(f"TopstepX did not say what it did ({_told(response, data)}).")
        if refusal.code == "":
            refusal = reason(str(data.get("errorMessage") or ""))
        raise Refused(refusal.code, refusal.message)

    def date(self) -> datetime:
        """The venue's clock, to the second: nothing in its interface tells the time but HTTP's own header."""
        try:
            response = self._session.get(f"{self._api}/api/Status/ping", timeout=self.timeout, allow_redirects=False)
        except requests.RequestException:
            found = None
        else:
            found = date_of(response)
        if found is None:
            raise Unavailable("TopstepX did not tell the time.")
        return found

    def token(self, stale: str = "") -> str:
        """A session token other than ``stale``. It opens REST and hub alike, for 24 hours; logging in ends no other."""
        if not self._token or self._token == stale:
            self._token = ""
            self._token = self._login()
        return self._token

    def close(self) -> None:
        self._session.close()

    def _authorised(self, path: str, body: Mapping[str, object]) -> requests.Response:
        """Sent with the token; once more with a new one after a 401, which proves that the first was turned away unread."""
        used = ""
        for _ in range(2):
            used = self.token(stale=used)
            response = self._post(path, body, used)
            if response.status_code != HTTPStatus.UNAUTHORIZED:
                return response
        raise BadCredentials("TopstepX no longer accepts this session.")

    def _login(self) -> str:
        """Changes nothing, so whatever is wrong with it but the key itself leaves the request behind it unsent."""
        body = {"userName": self._credentials.get("username"), "apiKey": self._credentials.get("key")}
        response = None
        try:
            response = self._post("/api/Auth/loginKey", body, "")
        except OutcomeUnknown as error:
            message = error.message
        if response is None:
            raise NotSent(message)
        self._turned_away(response)
        if response.status_code in INVALID or response.status_code == HTTPStatus.UNAUTHORIZED:
            raise BadCredentials("TopstepX does not accept this user and key.")
        data = _envelope(response)
        if data is not None and data["success"] and isinstance(data.get("token"), str) and data["token"]:
            return str(data["token"])
        if data is not None and data["errorCode"] in LOGIN_ERRORS:
            raise BadCredentials(LOGIN_ERRORS[data["errorCode"]])
        raise NotSent(f"TopstepX did not log the user in ({_told(response, data)}).")

    def _post(self, path: str, body: Mapping[str, object], token: str) -> requests.Response:
        """One request. Raises NotSent where no connection was made, and OutcomeUnknown for all that breaks after that."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        failure: BrokerError
        try:
            # A redirect would repeat the request, or send the token, somewhere else.
            return self._session.post(
                self._api + path, data=encode(body), headers=headers, timeout=self.timeout, allow_redirects=False
            )
        except requests.ConnectTimeout:
            failure = NotSent("TopstepX could not be reached: no connection in time.")
        except requests.Timeout:
            failure = OutcomeUnknown("TopstepX did not answer in time.")
        except requests.ConnectionError as error:
            cause = getattr(error.args[0], "reason", None) if error.args else None
            if isinstance(cause, NewConnectionError):
                failure = NotSent("TopstepX could not be reached.")
            else:
                failure = OutcomeUnknown("The connection to TopstepX broke.")
        except requests.RequestException as error:
            unsent = isinstance(error, ValueError)  # no such address can be
            failure = NotSent("The address of TopstepX is wrong.") if unsent else OutcomeUnknown("TopstepX broke off.")
        # Raised out here, so that no traceback and no report of errors carries the request with its token.
        raise failure

    @staticmethod
    def _turned_away(response: requests.Response) -> None:
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            raise RateLimited("TopstepX had too many requests.", _retry_after(response))
        if response.status_code == HTTPStatus.FORBIDDEN:
            raise BadCredentials("TopstepX does not allow this from here.")


def _envelope(response: requests.Response) -> dict[str, Any] | None:
    """The answer, if it is one: 200, JSON, and a success that agrees with its error code."""
    if response.status_code != HTTPStatus.OK:
        return None
    try:
        data = json.loads(response.content, parse_float=Decimal)
    except ValueError:
        return None
    if not isinstance(data, dict) or not isinstance(data.get("success"), bool):
        return None
    return data if data["success"] == (data.setdefault("errorCode", 0) == 0) else None


def _told(response: requests.Response, data: Mapping[str, Any] | None) -> str:
    return f"HTTP {response.status_code}" if data is None else f"code {data['errorCode']}"


def _retry_after(response: requests.Response) -> float:
    try:
        return max(0.0, float(response.headers.get("Retry-After", "")))
    except ValueError:
        return RETRY_AFTER


def date_of(response: requests.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).astimezone(UTC)
    except ValueError:
        return None
