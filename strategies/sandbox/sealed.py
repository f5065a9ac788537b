"""Owns memory that is handed into the jail: written once, then sealed by the kernel against any change and growth."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from types import TracebackType
from typing import Final

import numpy as np

from marketdata.bars import Bars
from strategies.contract import Panel

_SEALS: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
_NOT_EXECUTABLE: Final = 0x0008  # MFD_NOEXEC_SEAL, since Linux 6.3


def sealed(name: str, parts: list[bytes | memoryview]) -> int:
    """A descriptor of read-only memory that holds ``parts``. The caller closes it."""
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        descriptor = os.memfd_create(name, flags | _NOT_EXECUTABLE)
    except OSError:
        descriptor = os.memfd_create(name, flags)
    try:
        for part in parts:
            left = memoryview(part)
            while left:
                left = left[os.write(descriptor, left) :]
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class SealedBars:
    """Bars as the jail reads them: written once for as many runs as one likes. A context manager."""

    def __init__(self, bars: Bars | Panel) -> None:
        self.legs = len(bars.bars) if isinstance(bars, Panel) else 0
        self._length = len(bars)
        tables = bars.bars if isinstance(bars, Panel) else (bars,)
        self.descriptor = sealed("bars", [part for table in tables for part in _columns(table, self._length)])

    def __len__(self) -> int:
        return self._length

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> SealedBars:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _columns(bars: Bars, length: int) -> Iterator[memoryview]:
    if len(bars) != length:
        raise ValueError(f"the bars of a panel must be of one length, were {length} and {len(bars)}")
    for kind, column in zip((np.int64, *[np.float64] * 5), bars.columns, strict=True):
        if length:
            yield np.ascontiguousarray(column, kind).data.cast("B")
