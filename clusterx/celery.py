"""The Celery application; tasks live in each app's ``tasks.py``."""

import os
import warnings

from celery import Celery
from celery.platforms import SecurityWarning

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clusterx.settings")

# Celery warns of workers that run as root because of pickle; ours speak JSON and nothing else.
warnings.filterwarnings("ignore", category=SecurityWarning)

app = Celery("clusterx")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
