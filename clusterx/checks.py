"""What ``manage.py check --deploy`` looks at beside Django's own."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import Tags, Warning, register


@register(Tags.security, deploy=True)
def private_keys_are_the_trading_workers(**_: Any) -> list[Warning]:
    if not settings.CREDENTIALS_PRIVATE_KEYS:
        return []
    return [
        Warning(
            "The environment of this process has CREDENTIALS_PRIVATE_KEYS: it can open everybody's credentials at brokers.",
            hint="Set it for the worker of the queue trading and for accounts, where this is as it should be; not elsewhere.",
            id="clusterx.W001",
        )
    ]
