"""``manage.py stream``: the stream process."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from django.core.management.base import BaseCommand

from clusterx.observability.metrics import serve
from marketdata.stream.service import StreamService


class Command(BaseCommand):
    # Django's checks import every page of the site, and with them the numeric libraries: half of this process's memory. Set-up
    # has run them before.
    requires_system_checks = ()
    help = "Keeps a connection to every venue that is switched on, builds bars, stores and publishes them."

    def handle(self, *args: Any, **options: Any) -> None:
        serve()
        gc.freeze()  # what is loaded now stays; the collector need not walk through it while ticks wait
        asyncio.run(self._run())

    async def _run(self) -> None:
        await StreamService().run()
