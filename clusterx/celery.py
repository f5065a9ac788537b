"""The Celery application; tasks live in each app's ``tasks.py``."""

import os
import warnings
from typing import Any

import psycopg
from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from celery.platforms import SecurityWarning
from celery.signals import task_prerun, worker_ready
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clusterx.settings")
# The checks load every page, and with these the numeric libraries; `prepare` and `migrate` have made them.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

# Celery warns of workers that run as root because of pickle; ours speak JSON and nothing else.
warnings.filterwarnings("ignore", category=SecurityWarning)

app = Celery("clusterx")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


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
