"""How log lines look: short for people, JSON for machines."""

from __future__ import annotations

import logging
from typing import Any

import structlog


def line_formatter() -> logging.Formatter:
    return logging.Formatter("%(levelname).1s %(name)s: %(message)s")


def json_formatter() -> logging.Formatter:
    processors: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso"),
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=processors,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )
