"""``manage.py venue``: the local venue server."""

from __future__ import annotations

import asyncio
import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketdata.venue import RecordedMarket, ReplayMarket, SimulatedMarket, VenueServer
from marketdata.venue.market import Market


class Command(BaseCommand):
    help = "Serves recordings or a simulation by Binance's own protocol on this machine."

    def add_arguments(self, parser: ArgumentParser) -> None:
        address = urlsplit(settings.LOCAL_VENUE_URL)
        parser.add_argument("--markets", help="of recorded, replay, simulated; default: by FEED")
        parser.add_argument("--host", default=address.hostname)
        parser.add_argument("--port", type=int, default=address.port)
        parser.add_argument("--state", type=Path, default=settings.DATA.root / "venue", help="where the clocks are kept")
        parser.add_argument("--speed", type=float, help="of the replay (60) or the simulation (10)")
        parser.add_argument("--seed", type=int, default=7, help="of the simulation")
        parser.add_argument("--allow-faults", action="store_true", help="serve /control/faults, for tests")

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(self._serve(options))

    async def _serve(self, options: dict[str, Any]) -> None:
        stopping = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        markets = [self._market(name, options) for name in self._names(options["markets"])]
        server = VenueServer(markets, host=options["host"], port=options["port"], allow_faults=options["allow_faults"])
        async with server:
            for market in markets:
                self.stdout.write(f"{server.base_url(market.name)}: {market.label}")
            await stopping.wait()

    def _names(self, chosen: str | None) -> list[str]:
        if chosen:
            return chosen.split(",")
        recordings = (settings.RECORDED_DATA / "MANIFEST.tsv").exists()
        feed = settings.FEED if settings.FEED != "auto" else "recorded" if recordings else "simulated"
        return ["recorded", "replay"] if feed == "recorded" else ["simulated"]

    def _market(self, name: str, options: dict[str, Any]) -> Market:
        folder, speed = options["state"], options["speed"]
        try:
            match name:
                case "recorded":
                    return RecordedMarket(settings.RECORDED_DATA, state=folder)
                case "replay":
                    return ReplayMarket(settings.RECORDED_DATA, state=folder, speed=speed or 60.0)
                case "simulated":
                    return SimulatedMarket(seed=options["seed"], speed=speed or 10.0, state=folder)
        except FileNotFoundError as error:
            raise CommandError(f"{error.filename} is not there; RECORDED_DATA names the folder of recordings") from None
        raise CommandError(f"there is no market {name!r}; there are recorded, replay and simulated")
