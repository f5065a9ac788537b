"""``manage.py accounts``: the accounts process."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from clusterx.observability.metrics import serve as serve_metrics
from trading.agent.service import serve

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    # Django's checks import every page of the site, and with them the numeric libraries. Set-up has run them before.
    requires_system_checks = ()
    help = "Listens to every connected broker account, and moves the paper venue. A second one waits until the first is gone."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.CREDENTIALS_PRIVATE_KEYS:
            says = "CREDENTIALS_PRIVATE_KEYS must be set for the accounts process: it opens the credentials of brokers"
            if settings.PRODUCTION:
                raise CommandError(says)
            logger.warning(says)
        serve_metrics()
        gc.freeze()  # what is loaded now stays; the collector need not walk through it
        asyncio.run(serve())
