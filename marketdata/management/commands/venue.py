"""``manage.py venue``: the local venue server."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketdata.venue import serving


class Command(BaseCommand):
    help = "Serves recordings or a simulation by Binance's own protocol on this machine."

    def add_arguments(self, parser: ArgumentParser) -> None:
        address = urlsplit(settings.LOCAL_VENUE_URL)
        host, port = address.hostname or "127.0.0.1", 8765 if address.port is None else address.port
        serving.add_arguments(parser, host=host, port=port, state=settings.DATA.root / "venue")

    def handle(self, *args: Any, **options: Any) -> None:
        recordings = settings.RECORDED_DATA
        try:
            markets = [
                serving.market(
                    name, recordings=recordings, state=options["state"], speed=options["speed"], seed=options["seed"]
                )
                for name in serving.names(options["markets"], feed=settings.FEED, recordings=recordings)
            ]
        except serving.CannotServe as error:
            raise CommandError(str(error)) from None
        asyncio.run(
            serving.serve(
                markets, host=options["host"], port=options["port"], allow_faults=options["allow_faults"],
                port_file=options["port_file"], say=self.stdout.write,
            )
        )  # fmt: skip
