"""Serving markets until the process is told to stop; what ``manage.py venue`` and ``python -m marketdata.venue`` share."""

from __future__ import annotations

import asyncio
import signal
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from pathlib import Path

from marketdata.venue.market import Market
from marketdata.venue.recorded import RecordedMarket
from marketdata.venue.replay import ReplayMarket
from marketdata.venue.server import VenueServer
from marketdata.venue.simulated import SimulatedMarket

NAMES = ("recorded", "replay", "simulated")


class CannotServe(Exception):
    """A market that there is not, or whose recordings are not there."""


def add_arguments(parser: ArgumentParser, *, host: str, port: int, state: Path) -> None:
    parser.add_argument("--markets", help=f"of {', '.join(NAMES)}; default: what there are recordings for, or FEED says")
    parser.add_argument("--host", default=host)
    parser.add_argument("--port", type=int, default=port, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="write the port there once it listens")
    parser.add_argument("--state", type=Path, default=state, help="where the clocks are kept")
    parser.add_argument("--speed", type=float, help="of the replay (60) or the simulation (10)")
    parser.add_argument("--seed", type=int, default=7, help="of the simulation")
    parser.add_argument("--allow-faults", action="store_true", help="serve /control/faults to this machine, for tests")


def names(chosen: str | None, *, feed: str, recordings: Path) -> list[str]:
    """Which markets to serve: the chosen ones, else what FEED says, else recordings where they are."""
    if chosen:
        return chosen.split(",")
    if feed == "auto":
        feed = "recorded" if (recordings / "MANIFEST.tsv").exists() else "simulated"
    return ["recorded", "replay"] if feed == "recorded" else ["simulated"]


def market(name: str, *, recordings: Path, state: Path | None, speed: float | None, seed: int) -> Market:
    """Open a market by name.

    Raises CannotServe.
    """
    try:
        match name:
            case "recorded":
                return RecordedMarket(recordings, state=state)
            case "replay":
                return ReplayMarket(recordings, state=state, speed=speed or 60.0)
            case "simulated":
                return SimulatedMarket(seed=seed, speed=speed or 10.0, state=state)
    except FileNotFoundError as error:
        raise CannotServe(f"{error.filename} is not there; RECORDED_DATA names the folder of recordings") from None
    raise CannotServe(f"there is no market {name!r}; there are {', '.join(NAMES)}")


async def serve(
    markets: Sequence[Market], *, host: str, port: int, allow_faults: bool, port_file: Path | None, say: Callable[[str], object]
) -> None:
    """Serve until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with VenueServer(markets, host=host, port=port, allow_faults=allow_faults) as server:
        for one in markets:
            say(f"{server.base_url(one.name)}: {one.label}")
        if port_file is not None:
            fresh = port_file.with_name(port_file.name + ".new")
            fresh.write_text(str(server.port))
            fresh.replace(port_file)
        await stopping.wait()
