"""From the click on "Run the backtest" to the report on the page: a year of 5-minute bars, a real worker, headless Chromium.

One web process, one worker and the browser share the machine, as they do for whoever tries ClusterX at home. Every run asks for
other parameters, so that no result is there before; the bars are new to the first run alone, which stands apart.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time

import numpy as np
from django.test import Client
from playwright.sync_api import Page, sync_playwright

from benchmarks.figures import Figure
from benchmarks.websocket import wait_for
from clusterx import processes
from clusterx.accounts.models import User
from clusterx.supervisor import free_port
from marketdata.bars import Bars
from marketdata.models import Instrument, Venue
from marketdata.services.markets import set_up_markets
from marketdata.store import write_bars
from strategies import warming

STEP = 300
BARS = 365 * 86_400 // STEP  # 105,120
RUNS = 9
PATIENCE = 120_000  # milliseconds
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run")


def year() -> Bars:
    """A year of 5-minute bars that closed just now, with ticks of a cent."""
    rng = np.random.default_rng(11)
    close = np.round(30_000 * np.exp(np.cumsum(rng.normal(0, 0.001, BARS))), 2)
    opened = np.r_[30_000.0, close[:-1]]
    high, low = np.round(np.maximum(opened, close) * 1.001, 2), np.round(np.minimum(opened, close) * 0.999, 2)
    time_of = (int(time.time()) // STEP - BARS + np.arange(BARS, dtype=np.int64)) * STEP
    return Bars(time_of, opened, high, low, close, np.round(rng.uniform(1, 50, BARS), 4))


def measure() -> list[Figure]:
    set_up_markets(feed="off")
    Venue.objects.filter(code="simulated").update(is_enabled=True)
    one = Instrument.objects.filter(venue__code="simulated").earliest("pk")
    write_bars(one.pk, "5m", year(), source=4)
    person = User.objects.create_user(email="bench@clusterx.example", password=None)
    browser = Client()
    browser.force_login(person)
    if not warming.is_compiled():  # as the worker does once, after an update
        warming.compile_aside().wait()
    port = free_port()
    started = [
        subprocess.Popen(process.command, env=os.environ | process.environment)
        for process in (processes.web(port=port), *processes.workers())
    ]
    try:
        wait_for(port)
        times = clicked(f"http://127.0.0.1:{port}", browser.cookies["sessionid"].value, one.ref)
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)
    first, *others = times
    return [
        Figure(f"click to report, {BARS:,} bars, new ones", first, "s", 3),
        Figure(f"click to report, {BARS:,} bars, median", statistics.median(others), "s", 1.5),
        Figure(f"click to report, {BARS:,} bars, slowest of {len(others)}", max(others), "s"),
    ]


def clicked(url: str, session: str, ref: str) -> list[float]:
    """Seconds from each click until the headline of the report can be read; a short run before warms the processes up."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        context = launched.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
        page = context.new_page()
        run(page, url, ref, 8, span="1m")
        times = [run(page, url, ref, 10 + number) for number in range(RUNS)]
        launched.close()
    return times


def run(page: Page, url: str, ref: str, fast: int, span: str = "all") -> float:
    page.goto(f"{url}/strategies/runs/new/?strategy=sma-cross&instrument={ref}&timeframe=5m")
    page.fill("input[name=p-fast]", str(fast))
    page.check(f"input[name=span][value='{span}']")
    began = time.perf_counter()
    page.click("#run-form button.primary", no_wait_after=True)
    page.wait_for_selector("#report .headline .stat-value", timeout=PATIENCE)
    took = time.perf_counter() - began
    page.wait_for_load_state("networkidle")  # its charts are somebody's next second, not the next run's
    return took
