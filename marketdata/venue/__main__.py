"""``python -m marketdata.venue``: the same server as ``manage.py venue``, without Django."""

from __future__ import annotations

import asyncio
import os
import sys
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from marketdata.venue import serving

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    recordings = Path(os.environ.get("RECORDED_DATA") or ROOT.parent / "shared" / "data")
    state = Path(os.environ.get("CLUSTERX_DATA") or ROOT / ".clusterx") / "venue"
    address = urlsplit(os.environ.get("LOCAL_VENUE_URL", "http://127.0.0.1:8765"))
    parser = ArgumentParser(prog="python -m marketdata.venue", description=__doc__)
    serving.add_arguments(
        parser, host=address.hostname or "127.0.0.1", port=8765 if address.port is None else address.port, state=state
    )
    asked = parser.parse_args()
    feed = os.environ.get("FEED", "auto")
    try:
        markets = [
            serving.market(name, recordings=recordings, state=asked.state, speed=asked.speed, seed=asked.seed)
            for name in serving.names(asked.markets, feed=feed, recordings=recordings)
        ]
    except serving.CannotServe as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    say = partial(print, flush=True)
    asyncio.run(
        serving.serve(
            markets, host=asked.host, port=asked.port, allow_faults=asked.allow_faults, port_file=asked.port_file, say=say
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
