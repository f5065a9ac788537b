"""What people entrust us with is nowhere but in its sealed box: no log, table, message, page, answer or report has it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import secrets
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import aclosing
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest
import redis
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.contrib import admin
from django.contrib.sessions.backends.db import SessionStore
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone
from django.utils.log import AdminEmailHandler
from django.views.debug import ExceptionReporter

from tests.factories import InstrumentFactory, UserFactory, VenueFactory
from tests.venues.alpaca import AlpacaVenue
from tests.venues.binance import BinanceVenue
from tests.venues.faults import Fault
from tests.venues.topstepx import TopstepXVenue
from trading import tasks
from trading.brokers.connect import connect
from trading.brokers.protocol import BrokerError
from trading.brokers.registry import BROKERS
from trading.models import Account, Connection
from trading.services import connecting
from trading.services.connection_checks import check_connection
from trading.services.dispatch import dispatch
from trading.services.orders import place_order
from trading.services.reconciliation import reconcile

pytestmark = pytest.mark.django_db(transaction=True)

QUESTIONS = (Fault.BROKEN, Fault.LOST_REQUEST, Fault.REVOKED, Fault.RATE_LIMIT, Fault.REJECT)
CHANGES = (Fault.LOST_ANSWER, Fault.BROKEN_AFTER, Fault.REJECT, Fault.LOST_REQUEST, Fault.REVOKED)
PIECE = 10
"""So many characters of a secret in a row are a leak; four, the hint, are none."""


# -- what is looked for -------------------------------------------------------------------------------------------------


def pieces(secret: str) -> set[str]:
    """Parts of it, as they stand and in the dresses that libraries put on them."""
    found: set[str] = set()
    for line in secret.split():
        if len(line) < PIECE or line.startswith("-----"):
            continue
        for start in range(len(line) - PIECE + 1):
            part = line[start : start + PIECE]
            found |= {part, part.encode().hex(), part.encode().hex().upper()}
        found |= {quote(line, safe=""), base64.b64encode(line.encode()).decode().rstrip("=")}
    return found


def leaks(text: str | bytes, entered: dict[str, str]) -> list[str]:
    """Which fields show in ``text``."""
    shown = text.decode("latin-1") if isinstance(text, bytes) else text
    return [name for name, secret in entered.items() if any(piece in shown for piece in pieces(secret))]


def test_what_is_looked_for_would_be_found() -> None:
    secret = secrets.token_urlsafe(40)
    for text in (f"key={secret}", secret[:25], quote(secret), secret.encode().hex(), json.dumps([secret])):
        assert leaks(text, {"key": secret}) == ["key"]
    assert leaks(f"…{secret[-4:]}", {"key": secret}) == []


# -- everything that is written down ---------------------------------------------------------------------------------


class Everything(logging.Handler):
    """Every record of every logger at its loudest, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text = io.StringIO()

    def emit(self, record: logging.LogRecord) -> None:
        self.text.write(logging.Formatter("%(name)s %(message)s").format(record) + f" {record.args!r}\n")


@pytest.fixture
def logged() -> Iterator[Everything]:
    handler, root = Everything(), logging.getLogger()
    loggers = [root, *(one for one in logging.Logger.manager.loggerDict.values() if isinstance(one, logging.Logger))]
    levels = [(one, one.level) for one in loggers]
    for one in loggers:
        one.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    for one, level in levels:
        one.setLevel(level)


def tables() -> Iterator[tuple[str, str]]:
    """Every row of every table as text."""
    with connection.cursor() as cursor:
        cursor.execute("select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'public'")
        names = [name for (name,) in cursor.fetchall()]
        assert "public.trading_connection" in names
        for name in names:
            cursor.execute(f"select t::text from {name} t")
            yield name, "\n".join(row for (row,) in cursor.fetchall())


def messages(addresses: list[str]) -> str:
    """Everything in Redis: Celery's messages, caches, what is published and kept."""
    found: list[str] = []
    read = {"string": "get", "list": "lrange", "hash": "hgetall", "set": "smembers", "zset": "zrange", "stream": "xrange"}
    for address in addresses:
        with redis.Redis.from_url(address) as client:
            for key in client.scan_iter():
                kind = client.type(key).decode()
                limits = (0, -1) if kind in {"list", "zset"} else ()
                found.append(f"{key!r} {getattr(client, read[kind])(key, *limits)!r}")
    return "\n".join(found)


def pages(client: Client, account: Account) -> Iterator[tuple[str, str]]:
    """What its owner sees, what programs get, what staff look at."""
    one, query = f"/trade/accounts/{account.public_id}/", f"?account={account.public_id}"
    for address in ("/trade/accounts/", one, f"{one}?part=connection", f"/trade/{query}", f"/trade/orders/{query}",
                    f"/trade/activity/{query}", f"/trade/accounts/connect/{account.connection.broker}/"):  # fmt: skip
        yield address, client.get(address).content.decode()
    for path in ("brokers/", "connections/", f"connections/{account.public_id}/", "accounts/", f"accounts/{account.public_id}/",
                 f"accounts/{account.public_id}/activity/", "orders/", "fills/", "positions/"):  # fmt: skip
        yield path, client.get(f"/api/v1/{path}").content.decode()
    yield "schema", client.get("/api/schema/").content.decode()


def staff_pages(rf: Any, account: Account) -> Iterator[tuple[str, str]]:
    request = rf.get("/admin/")
    request.user, request.session = UserFactory(is_staff=True, is_superuser=True), SessionStore()
    for model, shown in admin.site._registry.items():
        if model._meta.app_label not in {"trading", "events"}:
            continue
        yield f"admin {model.__name__}", shown.changelist_view(request).render().content.decode()
        for row in model._default_manager.all()[:20]:
            yield f"admin {row!r}", shown.changeform_view(request, str(row.pk)).render().content.decode()


# -- the brokers ------------------------------------------------------------------------------------------------------


class Gossip(BaseHTTPRequestHandler):
    """A venue, or something between us and it, that says back all it was told, and refuses."""

    status = 403

    def _say(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        told = {"error": ["EGeneral:Permission denied"], "path": self.path, "headers": dict(self.headers), "body": body}
        text = json.dumps(told).encode()
        self.send_response(type(self).status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Was", self.path)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = _say  # noqa: N815

    def log_message(self, *said: Any) -> None:
        """Its own log is not ours."""


@pytest.fixture
def gossip() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Gossip) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def made_up(broker: str) -> dict[str, str]:
    """Credentials of the kind that the broker gives out."""
    key = {"coinbase": f"organizations/{uuid.uuid4()}/apiKeys/{uuid.uuid4()}"}.get(broker, secrets.token_urlsafe(40))
    secret = {
        "kraken": base64.b64encode(secrets.token_bytes(64)).decode(),
        "coinbase": ec.generate_private_key(ec.SECP256R1())
        .private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        .decode()
        .strip(),
    }.get(broker, secrets.token_urlsafe(40))
    known = {"key": key, "secret": secret, "password": secrets.token_urlsafe(20), "username": "trader", "account": ""}
    return {one.name: known[one.name] for one in BROKERS[broker].fields if known[one.name]}


def secret_ones(entered: dict[str, str]) -> dict[str, str]:
    # Of a key's name at Coinbase, what is not in every such name.
    plain = {name: value.replace("organizations/", "").replace("/apiKeys/", " ") for name, value in entered.items()}
    return {name: value for name, value in plain.items() if name != "username"}


def body_of(broker: str, entered: dict[str, str], **how: Any) -> dict[str, Any]:
    is_paper = BROKERS[broker].has_paper
    market = BROKERS[broker].markets[0]
    body = {
        "name": "Mine",
        "broker": broker,
        "market": market,
        "is_paper": is_paper,
        "knows_live": True,
        "credentials": entered,
    }
    return body | how


def posted(client: Client, path: str, body: dict[str, Any]) -> Any:
    return client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json")


def nothing_leaks(
    entered: dict[str, str], logged: Everything, said: Any, client: Client, rf: Any, account: Account, settings: Any
) -> None:
    written = [("log", logged.text.getvalue()), ("output", "".join(said.readouterr()))]
    assert len(written[0][1]) > 1000  # it was listened to
    redis_text = messages(settings.REDIS_ADDRESSES)
    assert "trading.check_connection" in redis_text or base64.b64encode(b"[[")[:3].decode() in redis_text
    written += [("redis", redis_text), *tables(), *pages(client, account), *staff_pages(rf, account)]
    found = {where: leaked for where, text in written if (leaked := leaks(text, secret_ones(entered)))}
    assert found == {}
    sealed = Connection.objects.get(pk=account.pk).sealed
    assert sealed is None or leaks(bytes(sealed), secret_ones(entered)) == []


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(UserFactory())
    return client


def connected(client: Client, broker: str, entered: dict[str, str]) -> Account:
    """Over pages and REST, with what people get wrong first."""
    form = {f"c-{name}": value for name, value in entered.items()}
    assert client.post(f"/trade/accounts/connect/{broker}/", form).status_code == 400
    assert client.post(f"/trade/accounts/connect/{broker}/", form | {"name": "x", "money": "nothing"}).status_code == 400
    for wrong in ({"market": "options"}, {"credentials": entered | {"more": entered["key"]}}, {"name": ""}):
        refused = posted(client, "connections/", body_of(broker, entered, **wrong))
        assert refused.status_code == 400
        assert leaks(refused.content, secret_ones(entered)) == []
    made = posted(client, "connections/", body_of(broker, entered))
    assert made.status_code == 201, made.content
    assert leaks(made.content, secret_ones(entered)) == []
    return Account.objects.get(public_id=made.json()["id"])


@pytest.mark.parametrize("broker", ["kraken", "coinbase", "kucoin"])
@pytest.mark.parametrize("status", [200, 401, 500])
def test_a_venue_that_says_back_what_it_was_told_is_not_repeated(
    client: Client,
    gossip: str,
    logged: Everything,
    capfd: Any,
    rf: Any,
    settings: Any,
    monkeypatch: Any,
    broker: str,
    status: int,
) -> None:
    monkeypatch.setattr(Gossip, "status", status)
    settings.BROKER_URLS = {broker: gossip}
    entered = made_up(broker)
    account = connected(client, broker, entered)
    tasks.check_connection(account.pk)
    assert Connection.objects.get(pk=account.pk).status == "failing"
    with pytest.raises(BrokerError):
        connect(account, timezone.now)
    nothing_leaks(entered, logged, capfd, client, rf, account, settings)


@pytest.mark.parametrize("broker", ["binance", "alpaca", "topstepx"])
def test_connecting_failing_and_trading_leave_no_trace_of_a_key(
    client: Client, logged: Everything, capfd: Any, rf: Any, settings: Any, broker: str
) -> None:
    venues: dict[str, Any] = {"binance": BinanceVenue, "alpaca": AlpacaVenue, "topstepx": TopstepXVenue}
    with venues[broker]() as venue:
        settings.BROKER_URLS = {broker: venue.endpoint.base_url}
        theirs = venue.credentials.fields
        entered = {"key": theirs["api_key"], "secret": theirs["secret"]} if broker == "binance" else dict(theirs)
        money = "USDT" if broker == "binance" else "USD"
        name = BROKERS[broker].venue
        listed = venue.exchange.listed[venue.symbol]
        instrument = InstrumentFactory(
            venue=VenueFactory(code=name), base=listed.base, quote=money, venue_symbol=venue.symbol, lot_size=listed.lot
        )
        account = connected(client, broker, entered)
        for fault in (one for one in QUESTIONS if broker != "topstepx" or one is not Fault.REVOKED):  # there it is for good
            venue.faults.next("ask", fault, fault)
            tasks.check_connection(account.pk)
        venue.faults.waiting.clear()
        tasks.check_connection(account.pk)
        assert Connection.objects.get(pk=account.pk).status == "connected", Connection.objects.get(pk=account.pk).status_reason
        account.refresh_from_db()
        changes = CHANGES[:-1] if broker == "topstepx" else CHANGES
        for number, fault in enumerate((None, *changes)):
            if fault is not None:
                venue.faults.next("submit", fault)
            at = timezone.now()
            place_order(
                account=account, deployment=None, client_order_id=str(uuid.uuid4()), instrument_id=instrument.pk,
                quantity=max(listed.lot, Decimal("0.01")) if broker == "binance" else Decimal(1),
                reference_price=float(venue.exchange.prices[venue.symbol]), decided_at=at, correlation_id=uuid.uuid4(), at=at,
            )  # fmt: skip
            dispatch(account_id=account.pk, look=bool(number % 2))
        venue.faults.next("ask", *QUESTIONS[:2], *QUESTIONS[3:])
        for _again in range(3):
            reconcile(account_id=account.pk)
        asyncio.run(listened(venue))
        venue.revoke()
        reconcile(account_id=account.pk)
        tasks.check_connection(account.pk)
        more = {f"token{number}": token for number, token in enumerate(getattr(venue, "tokens", []))}
        nothing_leaks(entered | more, logged, capfd, client, rf, account, settings)
        assert client.post(f"/trade/accounts/{account.public_id}/revoke/").status_code == 302
        nothing_leaks(entered | more, logged, capfd, client, rf, account, settings)


async def listened(venue: Any) -> None:
    """The account stream, until it stands."""
    async with aclosing(venue.broker().updates()) as stream:
        await asyncio.wait_for(anext(stream), 10)


@pytest.mark.parametrize("broker", BROKERS)
def test_reports_of_errors_hold_no_value(
    client: Client, logged: Everything, settings: Any, monkeypatch: pytest.MonkeyPatch, broker: str
) -> None:
    """Something breaks in the very line that seals: people see a page, operators a mail with lines and no values."""
    entered = made_up(broker)
    account = connected(client, broker, entered)
    settings.ADMINS = [("Operator", "operator@clusterx.example")]

    def broken(*given: Any) -> bytes:
        entered_here = given[1]
        raise RuntimeError(f"out of entropy with {len(entered_here)} fields")

    monkeypatch.setattr(connecting, "sealed", broken)
    reporter = AdminEmailHandler(include_html=True)
    logging.getLogger("django.request").addHandler(reporter)
    client.raise_request_exception = False
    try:
        form = {"name": "Second", "money": "live", "market": BROKERS[broker].markets[0], "knows_live": "on", "currency": ""}
        form |= {f"c-{name}": value for name, value in entered.items()}
        answers = [
            client.post(f"/trade/accounts/connect/{broker}/", form),
            client.post(f"/trade/accounts/{account.public_id}/key/", form),
            posted(client, "connections/", body_of(broker, entered, name="Third")),
            posted(client, f"connections/{account.public_id}/key/", {"credentials": entered}),
        ]
    finally:
        logging.getLogger("django.request").removeHandler(reporter)
    assert [one.status_code for one in answers] == [500] * 4
    html = [text for sent in mail.outbox for text, _kind in sent.alternatives]
    assert len(html) == 4  # beside those of Django's own handler, which are plain text
    for text in [*html, *(sent.body for sent in mail.outbox)]:
        assert "out of entropy" in text
        assert "connecting.py" in text
        assert leaks(text, secret_ones(entered)) == []
    for answer in answers:
        assert leaks(answer.content, secret_ones(entered)) == []
    assert leaks(logged.text.getvalue(), secret_ones(entered)) == []


@pytest.mark.parametrize("broker", BROKERS)
def test_a_test_that_breaks_reports_no_value(
    client: Client, logged: Everything, monkeypatch: pytest.MonkeyPatch, broker: str
) -> None:
    entered = made_up(broker)
    account = connected(client, broker, entered)
    monkeypatch.setattr("trading.services.connection_checks.endpoint_of", lambda one: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        check_connection(account_id=account.pk)
    one = Connection.objects.get(pk=account.pk)
    assert (one.status, one.asked_at, one.step) == ("failing", None, "")
    try:
        check_connection(account_id=account.pk)
    except ZeroDivisionError:
        reporter = ExceptionReporter(None, *sys.exc_info())
        logging.getLogger("celery").exception("a task failed")
    for text in (reporter.get_traceback_html(), reporter.get_traceback_text(), logged.text.getvalue()):
        assert "ZeroDivisionError" in text
        assert leaks(text, secret_ones(entered)) == []
