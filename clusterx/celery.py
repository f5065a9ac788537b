"""The Celery application; tasks live in each app's ``tasks.py``."""

import logging
import os
import sys
import warnings
from typing import Any

import psycopg
from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from celery.platforms import SecurityWarning
from celery.signals import celeryd_after_setup, task_prerun, worker_ready
from django.conf import settings
from django.db import connections

from clusterx.processes import TRADING

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clusterx.settings")
# The checks load every page, and with these the numeric libraries; `prepare` and `migrate` have made them.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

# Celery warns of workers that run as root because of pickle; ours speak JSON and nothing else.
warnings.filterwarnings("ignore", category=SecurityWarning)

app = Celery("clusterx")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_after_setup.connect
def look_for_private_keys(*, instance: Any, **_: Any) -> None:
    """A worker that cannot open what people entrusted us with would fail with each of their orders: better not at all."""
    if TRADING not in instance.app.amqp.queues.consume_from or settings.CREDENTIALS_PRIVATE_KEYS:
        return
    says = "CREDENTIALS_PRIVATE_KEYS must be set for a worker of the queue trading: it opens the credentials of brokers"
    logging.getLogger(__name__).log(logging.CRITICAL if settings.PRODUCTION else logging.WARNING, says)
    if settings.PRODUCTION:
        sys.exit(1)  # of an exception Celery would write a line, and begin


@worker_ready.connect
def keep_quiet_of_a_lost_broker(**_: Any) -> None:
    """Whenever Redis is lost Celery warns of a default that will change. That running tasks go on is what we want.

    Celery turns the warning on while it sets up its logs, so it is turned off after that.
    """
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning, module=r"celery\.worker\.consumer")


@task_prerun.connect
def look_at_connections(*, task: Any, **_: Any) -> None:
    """Tasks share their process's connection (``CELERY_DB_REUSE_MAX``), and each begins with a good one that holds no lock."""
    if task.request.is_eager:
        return
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None:
            try:
                connection.connection.execute("select pg_advisory_unlock_all()")
            except psycopg.Error:
                connection.close()
