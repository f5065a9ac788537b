"""From what ``signals`` returned to plain arrays, or to the reason why it is none."""

from typing import Any, Final

import numpy as np

from strategies.sandbox.inside import wire

NAMES: Final = ("exposure", "stop", "take_profit", "trail")


def levels(returned: Any, length: int) -> dict[str, wire.Array]:
    """``exposure`` and those of the other levels that were given, (length,) float64.

    Raises InvalidResult. The host looks again, and more closely; this is for a message that helps.
    """
    from strategies.sandbox.inside.runner import InvalidResult

    parts = {name: getattr(returned, name, None) for name in NAMES} if hasattr(returned, "exposure") else {"exposure": returned}
    arrays = {}
    for name, value in parts.items():
        if value is None and name != "exposure":
            continue
        try:
            array = np.ascontiguousarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise InvalidResult(f"{name} must be numbers, was {type(value).__name__}") from None
        if array.shape != (length,):
            raise InvalidResult(f"{name} must have the shape ({length},), one value a bar, had {array.shape}")
        arrays[name] = array
    exposure = arrays["exposure"]
    if not np.isfinite(exposure).all():
        at = int(np.flatnonzero(~np.isfinite(exposure))[0])
        raise InvalidResult(f"exposure must be finite, was {exposure[at]} at bar {at}")
    if length and np.abs(exposure).max() > 1:
        at = int(np.abs(exposure).argmax())
        raise InvalidResult(f"exposure must be -1..1, was {exposure[at]:g} at bar {at}")
    return arrays
