"""``manage.py update_translations``: new messages into the .po files, and out of them what nobody says any more."""

from __future__ import annotations

from typing import Any

from babel.messages.pofile import write_po
from django.core.management.base import BaseCommand

from clusterx.translations import catalogues, messages


class Command(BaseCommand):
    help = "Brings every locale/*/LC_MESSAGES/django.po up to the templates and the code; then translate what is empty."

    def handle(self, *args: Any, **options: Any) -> None:
        said = messages()
        for path, catalogue in catalogues():
            catalogue.update(said, no_fuzzy_matching=True, update_header_comment=False)
            header = path.read_bytes().split(b"\n\n", 1)[0]  # as it stands: babel's would name today's date
            with path.open("wb") as target:
                target.write(header + b"\n\n")
                write_po(target, catalogue, width=0, no_location=True, ignore_obsolete=True, omit_header=True)
            empty = [message.id for message in catalogue if message.id and not any(message.string or "")]
            self.stdout.write(f"{path}: {len(catalogue)} messages, {len(empty)} without a translation")
