"""The one family of errors that people are told about."""

from __future__ import annotations

from typing import Any, ClassVar


class DomainError(Exception):
    """Something asked for cannot be done. The message says what was found and what was expected.

    ``code`` is stable and named by the API; ``facts`` are the numbers behind the message. ``clusterx.api.problems``
    maps the family to HTTP.
    """

    code: ClassVar[str] = "invalid"
    http_status: ClassVar[int] = 400

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts
