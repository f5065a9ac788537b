"""``manage.py warm_engine``: compile the engine and the library, so that nobody waits for it."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand

from strategies.warming import compile_once


class Command(BaseCommand):
    help = "Compiles the engine and the library, at the lowest priority. Does nothing when that was done."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        os.nice(19)
        compile_once()
