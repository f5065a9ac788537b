"""``manage.py beat``: the Celery beat schedule, once in the whole deployment."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, connection

from clusterx.celery import app

LOCK = 0x636C7573  # any number that nobody else uses as an advisory lock


def _in_one_line(record: logging.LogRecord) -> bool:
    """A database that was restarted is no bug of ours: its traceback says nothing more than its name."""
    if record.exc_info and isinstance(record.exc_info[1], OperationalError | InterfaceError):
        record.exc_info = None
    return True


class Command(BaseCommand):
    help = "Runs the Celery beat schedule. A second one waits until the first is gone."
    requires_system_checks = ()  # these load every page

    def handle(self, *args: Any, **options: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
            if cursor.fetchone() != (True,):
                self.stderr.write("Another beat runs; waiting for it to end.")
                cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        lock_holder = connection.connection
        threading.Thread(target=self._end_with, args=(lock_holder,), daemon=True).start()
        # The scheduler's thread closes stale connections of its own; ours must stay open: it is the lock.
        connection.connection = None
        logging.getLogger("celery.beat").addFilter(_in_one_line)
        try:
            app.Beat(loglevel="WARNING", quiet=True).run()
        except (OperationalError, InterfaceError) as error:
            raise CommandError(f"The database went away: {str(error).strip().splitlines()[0]}") from None

    def _end_with(self, lock_holder: Any) -> None:
        """End the process when the database lets go of the lock, because another beat may start then."""
        import os

        while True:
            time.sleep(5)
            try:
                lock_holder.execute("SELECT 1")
            except Exception:
                os._exit(1)
