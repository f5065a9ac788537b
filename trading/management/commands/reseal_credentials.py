"""``manage.py reseal_credentials``: every key of a broker under the newest private key, before an older one is taken away."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from trading.services.connecting import reseal_all


class Command(BaseCommand):
    help = "Seals the credentials of brokers anew under the newest private key; run it where the trading worker runs."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.CREDENTIALS_PRIVATE_KEYS:
            raise CommandError("This process has no private key: run it in the trading worker's environment.")
        counts = reseal_all()
        self.stdout.write(
            f"{counts['resealed']} sealed anew, {counts['current']} were already, {counts['unopened']} cannot be opened."
        )
        if counts["unopened"]:
            raise CommandError("Keep the private keys that open the rest, or have their owners enter their keys again.")
