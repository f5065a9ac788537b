"""``manage.py compile_translations``: the .po files to .mo files, without GNU gettext on the machine."""

from __future__ import annotations

from typing import Any

from babel.messages.mofile import write_mo
from django.core.management.base import BaseCommand, CommandError

from clusterx.translations import catalogues


class Command(BaseCommand):
    help = "Compiles every locale/*/LC_MESSAGES/django.po."

    def handle(self, *args: Any, **options: Any) -> None:
        for path, catalogue in catalogues():
            broken = [message.id for message in catalogue if any(message.check(catalogue))]
            if broken:
                raise CommandError(f"{path.name}: placeholders differ in {broken[:3]}")
            with path.with_suffix(".mo").open("wb") as target:
                write_mo(target, catalogue)
