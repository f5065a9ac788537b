"""What the stream process leaves out of memory."""

from __future__ import annotations

import subprocess
import sys

from clusterx import processes
from clusterx.embedded.layout import PROJECT
from clusterx.management.commands import beat
from marketdata.management.commands.stream import Command

PROGRAM = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "clusterx.settings"
import django
django.setup()
import marketdata.management.commands.stream, marketdata.providers.binance as provider
heavy = [name for name in ("numba", "llvmlite", "scipy", "pandas") if name in sys.modules]
real = [name for name, module in sys.modules.items() if name.startswith("ccxt.") and getattr(module, "__file__", None)]
exchanges = sorted(name for name in real if name.count(".") == 2 and name.split(".")[1] in ("pro", "async_support"))
assert issubclass(provider._Client, provider.ccxt.async_support.binance)
try:
    provider.ccxt.pro.kraken()
except NotImplementedError:
    print(heavy, exchanges)
"""


WORKER = """
import sys
from clusterx.celery import app
from celery.fixups.django import DjangoWorkerFixup
DjangoWorkerFixup(app).validate_models()
app.loader.import_default_modules()
print([name for name in ("numba", "pandas", "scipy", "talib", "optuna", "ccxt") if name in sys.modules])
"""


def test_the_stream_process_has_one_exchange_and_no_numeric_libraries() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=PROJECT, capture_output=True, text=True, check=True)
    exchanges = ["ccxt.async_support.base", "ccxt.async_support.binance", "ccxt.pro.binance"]
    assert done.stdout.strip() == f"[] {exchanges}"


def test_starting_the_stream_process_and_beat_imports_no_pages() -> None:
    assert Command.requires_system_checks == ()
    assert beat.Command.requires_system_checks == ()


def test_a_worker_has_no_numeric_libraries_before_its_first_task() -> None:
    done = subprocess.run([sys.executable, "-c", WORKER], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_process_keeps_few_pools_of_memory() -> None:
    others = (processes.accounts(), processes.beat(), processes.venue())
    for process in (processes.web(), processes.stream(), processes.worker(), *others):
        assert process.environment["MALLOC_ARENA_MAX"] == "2"
