"""``manage.py compile_translations``: the .po files to .mo files, without GNU gettext on the machine."""

from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile
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
            # Replaced whole: a process of the site may be reading it.
            with NamedTemporaryFile(dir=path.parent, suffix=".mo", delete=False) as target:
                write_mo(target, catalogue)
            Path(target.name).chmod(0o644)
            Path(target.name).replace(path.with_suffix(".mo"))
