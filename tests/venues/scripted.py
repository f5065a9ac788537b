"""A venue that answers what it was told to, and keeps every request: for proving what is sent to exchanges of which there is
no local copy. The answers are those of the exchanges' documentation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web


@dataclass(frozen=True)
class Came:
    """A request as it came: ``body`` and ``query`` are the very characters that were signed."""

    method: str
    path: str
    query: str
    body: str
    headers: Mapping[str, str]


class ScriptedVenue:
    """``answers`` are looked up by "METHOD /path"; where there is none, the answer is 404.

    A tuple is (status, body) or (status, body, headers); a list of tuples is used up one by one, the last one for ever.
    """

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = dict(answers)
        self.came: list[Came] = []

    def of(self, method: str, path: str) -> list[Came]:
        return [one for one in self.came if (one.method, one.path) == (method, path)]

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(started,), name="scripted", daemon=True)
        self._thread.start()
        assert started.wait(10), "the venue did not start"
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _serve(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._request)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
        self._port = runner.addresses[0][1]
        started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _request(self, request: web.Request) -> web.Response:
        came = Came(request.method, request.path, request.rel_url.raw_query_string, await request.text(), dict(request.headers))
        self.came.append(came)
        said = self.answers.get(f"{came.method} {came.path}", (404, {"error": "no such address"}))
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        status, body, *headers = said if isinstance(said, tuple) else (200, said)
        return web.json_response(body, status=status, headers=headers[0] if headers else None)
