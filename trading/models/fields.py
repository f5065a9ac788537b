"""How money and quantities are stored: exact, with room for the smallest coin."""

from __future__ import annotations

from typing import Any, Final

MONEY: Final[dict[str, Any]] = {"max_digits": 28, "decimal_places": 10}
QUANTITY: Final[dict[str, Any]] = {"max_digits": 28, "decimal_places": 12}
