"""``manage.py compile_translations``: the .po files to .mo files, without GNU gettext on the machine."""

from __future__ import annotations

from typing import Any

from babel.messages.mofile import write_mo
from django.core.management.base import BaseCommand, CommandError

from clusterx.translations import catalogues, library_catalogues


class Command(BaseCommand):
    help = "Compiles every django.po of locale/, our own and those of libraries' messages."

    def handle(self, *args: Any, **options: Any) -> None:
        for path, catalogue in (*catalogues(), *library_catalogues()):
            broken = [message.id for message in catalogue if any(message.check(catalogue))]
            if broken:
                raise CommandError(f"{path.name}: placeholders differ in {broken[:3]}")
            with path.with_suffix(".mo").open("wb") as target:
                write_mo(target, catalogue)
