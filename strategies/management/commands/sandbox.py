"""``manage.py sandbox check`` and ``manage.py sandbox prepare``"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from strategies.sandbox.host import layers
from strategies.sandbox.image import image
from strategies.sandbox.limits import NoBoundary


class Command(BaseCommand):
    help = "check: what of the sandbox's boundary this host offers. prepare: make the image that the jails are built from."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=("check", "prepare"))

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "check":
            self._check()
        else:
            self._prepare()

    def _check(self) -> None:
        """Layer by layer, with the remedy; fails where user code cannot run."""
        missing = []
        for layer in layers():
            sign = "yes" if layer.there else ("NO " if layer.needed else "no ")
            self.stdout.write(f"{sign}  {layer.name:<11} {layer.said}")
            if not layer.there:
                self.stdout.write(f"     {'':<11} remedy: {layer.remedy}")
                missing += [layer.name] if layer.needed else []
        if missing:
            raise CommandError(f"No user code runs on this host: {', '.join(missing)}.")

    def _prepare(self) -> None:
        """Some ten seconds once, instead of in the first run; for images of containers."""
        try:
            made = image()
        except NoBoundary as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"The image is in {made.folder}")
