"""``manage.py credentials_key``: a fresh pair of keys for the credentials of brokers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from clusterx.keypair import PRIVATE_SETTING, PUBLIC_SETTING, PrivateKey


class Command(BaseCommand):
    help = "Makes a pair of keys for sealing credentials of brokers, as lines for an .env file. Nothing of it is kept."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--private-file", type=Path, metavar="FILE", help="write the private key to this new file")
        where.add_argument("--print-private", action="store_true", help="print the private key, too")

    def handle(self, *, private_file: Path | None, **options: Any) -> None:
        key = PrivateKey.generate()
        private = (
            "# PRIVATE: opens every credential that is sealed with the key below. For worker-trading and accounts alone,\n"
            "# newest first, the keys before it after a comma.\n"
            f"{PRIVATE_SETTING}={key.reveal()}\n"
        )
        if private_file is not None:
            try:
                # Never over another: the key in it may be the only one that opens what is stored.
                descriptor = os.open(private_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except OSError as error:
                raise CommandError(f"{private_file}: {error.strerror}. It must be a file that is not there yet.") from None
            with os.fdopen(descriptor, "w") as file:
                file.write(private)
        else:
            self.stdout.write(private, ending="")
        self.stdout.write(f"# Public: seals. For every process.\n{PUBLIC_SETTING}={key.public.text}")
