"""Keeps Numba's cache on disk honest.

Numba looks at the time of the file that a function is in, and not at those of the functions it calls: after a change
there, an old machine code would go on being used. A package whose compiled functions call each other across its files
says ``forget_stale(__file__)`` first.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def forget_stale(init_file: str) -> None:
    """Remove cached machine code that is older than the newest source of the package whose ``__init__`` this is.

    A folder that cannot be written to is left as it is: whoever made it, made it whole.
    """
    folder = Path(init_file).parent
    with suppress(OSError):
        newest = max(file.stat().st_mtime for file in folder.glob("*.py"))
        for cached in (folder / "__pycache__").glob("*.nb?"):
            if cached.stat().st_mtime < newest:
                cached.unlink()
