"""How long the server takes for what pages and programs ask most: through Django's handler, without the network."""

from __future__ import annotations

import statistics
import time

from django.conf import settings
from django.test import Client
from django.utils import timezone

from benchmarks.figures import Figure
from marketdata.bars import Bar
from marketdata.models import Instrument, LatestPrice, Venue
from marketdata.services.markets import set_up_markets
from marketdata.store import write_candles


def median_ms(client: Client, path: str, runs: int = 60) -> float:
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        answer = client.get(path)
        times.append((time.perf_counter() - started) * 1000)
        assert answer.status_code == 200, (path, answer.status_code)
    return statistics.median(times[5:])


def measure() -> list[Figure]:
    settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] = {"anon": None, "user": None}
    set_up_markets(feed="off")
    Venue.objects.update(is_enabled=True)
    now = int(time.time()) // 300 * 300
    for instrument in Instrument.objects.all():
        rows = [Bar(now - 300 * i, 100.0, 101.0, 99.0, 100.5, 5.0 + i) for i in range(1, 20_000 if instrument.pk < 3 else 500)]
        write_candles((instrument.pk, "5m", bar) for bar in rows)
        write_candles((instrument.pk, "1h", bar._replace(time=bar.time // 3600 * 3600)) for bar in rows[::12])
        LatestPrice.objects.create(instrument=instrument, price=100.5, time=timezone.now(), received_at=timezone.now())
    ref = Instrument.objects.earliest("pk").ref
    client = Client()
    base = f"/api/v1/instruments/{ref}"
    return [
        Figure("1,000 candles by REST", median_ms(client, f"{base}/candles/?timeframe=5m&limit=1000"), "ms", 15),
        Figure("the instrument page's HTML", median_ms(client, f"/markets/{ref}/"), "ms", 100),
        Figure("the markets page's HTML", median_ms(client, "/markets/"), "ms", 100),
        Figure(
            "1,000 values of MACD and Bollinger by REST",
            median_ms(client, f"{base}/indicators/?timeframe=5m&spec=macd&spec=bollinger"), "ms",
        ),
    ]  # fmt: skip
