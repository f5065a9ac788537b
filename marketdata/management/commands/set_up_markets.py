"""``manage.py set_up_markets``: the venues and instruments that ship with the platform."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from marketdata.services.markets import FEEDS, set_up_markets, set_up_samples


class Command(BaseCommand):
    help = "Makes the venues and instruments that ship with the platform, and switches on those of the feed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--feed", default=settings.FEED, choices=["auto", *FEEDS])

    def handle(self, *args: Any, **options: Any) -> None:
        set_up_markets(feed=options["feed"])
        set_up_samples()
