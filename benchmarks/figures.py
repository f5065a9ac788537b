"""What a benchmark reports: a figure beside its limit."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil


@dataclass(frozen=True)
class Figure:
    """A median (or the statistic that ``name`` says) and the limit it must keep."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    better: Literal["lower", "higher"] = "lower"

    @property
    def kept(self) -> bool:
        if self.limit is None:
            return True
        return self.value <= self.limit if self.better == "lower" else self.value >= self.limit


def machine() -> str:
    with Path("/proc/cpuinfo").open() as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    memory = psutil.virtual_memory().total / 2**30
    return f"{model}, {psutil.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def table(figures: Iterable[Figure]) -> str:
    lines = [f"{'figure':<66} {'measured':>14} {'limit':>16}", "-" * 98]
    for figure in figures:
        sign = "≤" if figure.better == "lower" else "≥"
        limit = "" if figure.limit is None else f"{sign} {figure.limit:,.6g} {figure.unit}"
        verdict = "" if figure.kept else "  MISSED"
        lines.append(f"{figure.name:<66} {figure.value:>10,.6g} {figure.unit:<4} {limit:>14}{verdict}")
    return "\n".join(lines)
