"""The append-only log of what happened. The database itself refuses update, delete and truncate."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models


class Event(models.Model):
    """One thing that happened, in one stream. ``id`` is its sequence number."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    stream = models.CharField(max_length=80)
    type = models.CharField(max_length=60)
    version = models.PositiveSmallIntegerField(default=1)
    payload = models.JSONField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    correlation_id = models.UUIDField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(fields=["stream", "id"], name="event_stream"),  # replay and activity feeds read one stream
            models.Index(fields=["correlation_id"], name="event_correlation"),  # from an order back to its bar
        ]
