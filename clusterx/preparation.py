"""Demo data: each app adds the step that makes its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

Step = Callable[[datetime], object]
_steps: dict[int, Step] = {}


def demo_step(order: int) -> Callable[[Step], Step]:
    """Register a step; steps run in ascending ``order`` and change nothing when run again."""

    def register(step: Step) -> Step:
        _steps[order] = step
        return step

    return register


def demo_steps() -> list[Step]:
    return [_steps[order] for order in sorted(_steps)]
