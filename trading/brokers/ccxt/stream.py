"""The account stream: ccxt.pro keeps the connection, we take every message that it understood.

ccxt's ``watch`` calls tell of the newest state when somebody happens to wait: a message that comes while nobody does is told
with the next one, which may be hours later. So the caches that ccxt writes every order and fill to are ours, and they tell
of each write; the ``watch`` calls are kept going only to subscribe and to notice errors. ccxt also connects anew by itself,
without a word; here the first closed connection ends the stream, so that whoever listens asks for what was missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import ccxt
from ccxt.async_support.base.ws.cache import ArrayCacheBySymbolById

from trading.brokers.ccxt.codes import Verdict
from trading.brokers.ccxt.dialects import Dialect
from trading.brokers.ccxt.errors import judge
from trading.brokers.ccxt.values import fill_of, order_of
from trading.brokers.ccxt.wire import causes, exact_json, stream_client
from trading.brokers.protocol import BadCredentials, Credentials, Endpoint, Listening, Unavailable, Update

REMEMBERED: Final = 1000
PING_EVERY: Final = 20_000  # ms; a connection that is silent for twice as long is dead


class Told(ArrayCacheBySymbolById):  # type: ignore[misc]
    """A cache of ccxt's that passes on everything that is written to it."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(REMEMBERED)
        self._tell = tell

    def append(self, item: dict[str, Any]) -> None:
        super().append(item)
        self._tell(dict(item))


class Listener:
    """Mixed into ccxt's streaming clients."""

    ends_stream: frozenset[str] = frozenset()

    def attach(self, ends_stream: frozenset[str]) -> None:
        self.ends_stream = ends_stream
        self.connected = asyncio.Event()
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def end(self, why: str) -> None:
        if not self.over.done():
            self.over.set_result(why)

    @staticmethod
    def on_json_response(body: str) -> Any:
        return exact_json(body)

    def client(self, url: str) -> Any:
        """ccxt's connection, reading numbers as they were written."""
        made = super().client(url)  # type: ignore[misc]
        if not hasattr(made, "exact"):
            made.exact = True

            def read(data: str | bytes) -> None:
                text = data.decode() if isinstance(data, bytes) else data
                made.on_message_callback(made, exact_json(text) if text[:1] in {"{", "["} else text)

            made.handle_text_or_binary_message = read
        return made

    def on_connected(self, client: Any, message: Any = None) -> None:
        super().on_connected(client, message)  # type: ignore[misc]
        self.connected.set()

    def on_error(self, client: Any, error: BaseException) -> None:
        super().on_error(client, error)  # type: ignore[misc]
        self.end("The stream broke.")

    def on_close(self, client: Any, error: Any) -> None:
        super().on_close(client, error)  # type: ignore[misc]
        self.end("The venue closed the stream.")

    def handle_message(self, client: Any, message: Any) -> None:
        try:
            super().handle_message(client, message)  # type: ignore[misc]
        except Exception:
            # ccxt would stop to read and say nothing.
            self.end("The stream told something that could not be read.")
        if isinstance(message, dict):
            event = message.get("event") if isinstance(message.get("event"), dict) else message
            if isinstance(event, dict) and event.get("e") in self.ends_stream:
                self.end("The venue ended the stream.")


async def listen(
    exchange_id: str, credentials: Credentials, endpoint: Endpoint, dialect: Dialect, load: Callable[[], Any]
) -> AsyncGenerator[Update, None]:
    """The updates of one connection. ``load`` gives the synchronous client, whose instruments and clock are used."""
    error: Exception | None = None
    client: Any = None
    tasks: list[asyncio.Task[None]] = []
    news: asyncio.Queue[Update] = asyncio.Queue()
    try:
        if not dialect.streams:
            raise Unavailable("This venue's account stream is not used.")
        shared = await asyncio.to_thread(load)
        client = _prepared(stream_client(Listener, exchange_id, credentials, endpoint, dialect), dialect, shared, news)
        try:
            await client.authenticate()
        except Exception as caught:
            if _cause(caught, ccxt.InvalidNonce) is None:
                raise
            # A client whose subscription failed once waits for it forever: the second try needs another one.
            await client.close()
            await asyncio.to_thread(shared.load_time_difference)
            client = _prepared(stream_client(Listener, exchange_id, credentials, endpoint, dialect), dialect, shared, news)
            await client.authenticate()
        tasks += [asyncio.create_task(_keep(watch)) for watch in (client.watch_orders, client.watch_my_trades)]
        await _opened(client, tasks)
        yield Listening(datetime.now(UTC) - timedelta(milliseconds=int(client.options.get("timeDifference") or 0)))
        while True:
            yield await _next(client, news, tasks)
    except Exception as caught:
        error = as_stream_error(caught, dialect)
    finally:
        if client is not None:
            await _close(client, tasks)
    # Outside of the handler: what ccxt raised names addresses with keys in them, and must not come along as a context.
    raise error


async def _close(client: Any, tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for told in client.options.values():
        if isinstance(told, dict) and "listenKey" in told:
            told["listenKey"] = None  # else ccxt's timer would renew it, over a connection of its own, long after this
    await client.close()


def _prepared(client: Any, dialect: Dialect, shared: Any, news: asyncio.Queue[Update]) -> Any:
    client.attach(dialect.ends_stream)
    client.set_markets_from_exchange(shared)
    for name, value in shared.options.items():
        if client.options.get(name) is None:  # what was found out about the account
            client.options[name] = value
    client.options["timeDifference"] = shared.options.get("timeDifference", 0)
    client.streaming = {**client.streaming, "keepAlive": PING_EVERY}
    client.orders = Told(lambda told: _order(client, told, news))
    client.myTrades = Told(lambda told: _fill(client, told, news, dialect))
    return client


def _cause(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    """ccxt's own tidying up fails at times, and its error stands before the one that is meant."""
    return next((one for one in causes(error) if isinstance(one, kind)), None)


async def _keep(watch: Callable[[], Any]) -> None:
    while True:
        await watch()


async def _opened(client: Any, tasks: list[asyncio.Task[None]]) -> None:
    waiting = asyncio.create_task(client.connected.wait())
    try:
        await asyncio.wait({waiting, client.over, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    _raise_if_over(client, tasks)


async def _next(client: Any, news: asyncio.Queue[Update], tasks: list[asyncio.Task[None]]) -> Update:
    """What was told before the stream broke is told before that is."""
    if not news.empty():
        return news.get_nowait()
    getting = asyncio.create_task(news.get())
    try:
        await asyncio.wait({getting, client.over, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        if getting.done():
            return getting.result()
    finally:
        getting.cancel()
    _raise_if_over(client, tasks)
    raise Unavailable("The stream ended.")


def _raise_if_over(client: Any, tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error
    if client.over.done():
        raise Unavailable(client.over.result())


def _order(client: Any, told: dict[str, Any], news: asyncio.Queue[Update]) -> None:
    market = client.markets.get(told.get("symbol"))
    if market is not None:
        news.put_nowait(order_of(told, symbol=market["id"], seen_at=datetime.now(UTC)))


def _fill(client: Any, told: dict[str, Any], news: asyncio.Queue[Update], dialect: Dialect) -> None:
    market = client.markets.get(told.get("symbol"))
    fill = fill_of(told, symbol=market["id"], client_id_field=dialect.fill_client_id) if market is not None else None
    if fill is not None:
        news.put_nowait(fill)


def as_stream_error(error: Exception, dialect: Dialect) -> Exception:
    """The error that a broken stream raises, whatever broke it."""
    if isinstance(error, Unavailable | BadCredentials):
        return error
    meant = _cause(error, ccxt.BaseError) or error
    if judge(meant, None, False, dialect) is Verdict.CREDENTIALS:
        return BadCredentials("The venue does not accept the key.")
    return Unavailable("The stream could not be opened or broke.")
