"""The platform: settings, processes, accounts, events and what every app stands on."""

from clusterx.celery import app as celery_app

__all__ = ["celery_app"]
