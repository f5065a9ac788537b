"""The time zones that people choose."""

from __future__ import annotations

import zoneinfo


def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """UTC for a zone that this machine does not know (any more)."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zoneinfo.ZoneInfo("UTC")
