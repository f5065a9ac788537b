"""What the stream process leaves out of memory."""

from __future__ import annotations

import subprocess
import sys

from clusterx import processes
from clusterx.embedded.layout import PROJECT
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


def test_the_stream_process_has_one_exchange_and_no_numeric_libraries() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=PROJECT, capture_output=True, text=True, check=True)
    exchanges = ["ccxt.async_support.base", "ccxt.async_support.binance", "ccxt.pro.binance"]
    assert done.stdout.strip() == f"[] {exchanges}"


def test_starting_the_stream_process_imports_no_pages() -> None:
    assert Command.requires_system_checks == ()


def test_every_process_keeps_few_pools_of_memory() -> None:
    for process in (processes.web(), processes.stream(), processes.worker(), processes.beat(), processes.venue()):
        assert process.environment["MALLOC_ARENA_MAX"] == "2"
