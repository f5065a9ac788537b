"""Keeps Numba's cache on disk honest.

Numba looks at the time of the file that a function is in, and not at those of the functions it calls: after a change
there, old machine code would go on being used. A package whose compiled functions call each other across its files says
``forget_stale(__file__)`` first.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

WARMED: Final = "warmed"  # the file of the cache that names the sources of which all is compiled: ``strategies.warming``


def forget_stale(init_file: str) -> None:
    """Remove cached machine code that is older than the newest source of the package whose ``__init__`` this is.

    A folder that cannot be written to is left as it is: whoever made it, made it whole.
    """
    package = Path(init_file).parent
    folders = [package / "__pycache__"]
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        folders += Path(chosen).glob(f"{package.name}_*")  # Numba adds a hash of the package's place
    with suppress(OSError):
        newest = max(file.stat().st_mtime for file in package.glob("*.py"))
        for folder in folders:
            for cached in folder.glob("*.nb?"):
                if cached.stat().st_mtime < newest:
                    cached.unlink(missing_ok=True)
