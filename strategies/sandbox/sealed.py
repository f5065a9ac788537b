"""Owns memory that is handed into the jail: written once, then sealed by the kernel against any change and growth."""

from __future__ import annotations

import fcntl
import os
from types import TracebackType
from typing import Final

import numpy as np

from marketdata.bars import Bars

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

    def __init__(self, bars: Bars) -> None:
        self.length = len(bars)
        columns = (np.ascontiguousarray(bars.time, np.int64), *(np.ascontiguousarray(c, np.float64) for c in bars.columns[1:]))
        self.descriptor = sealed("bars", [column.data.cast("B") for column in columns if len(column)])

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> SealedBars:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
