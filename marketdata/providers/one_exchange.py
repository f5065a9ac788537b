"""Importing ccxt for one exchange.

``import ccxt.pro`` runs the classes of all its hundred exchanges, three times over, which is 40 MB of resident memory that the
stream process never uses. While ``alone`` lasts, the modules of every other exchange are stood in for by empty ones.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import reload
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

EXCHANGE = re.compile(r"ccxt\.(?:async_support\.|pro\.)?(\w+)")
# Of ccxt's packages these are no exchanges.
SHARED = {"abstract", "async_support", "base", "prediction", "pro", "protobuf", "static_dependencies"}


class _Absent:
    """Stands for the class of an exchange that was not imported."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("this exchange of ccxt is not imported; see marketdata/providers/one_exchange.py")


class _Finder(MetaPathFinder, Loader):
    def __init__(self, exchange: str) -> None:
        self.wanted = SHARED | {exchange}

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        found = EXCHANGE.fullmatch(fullname)
        return ModuleSpec(fullname, self) if found and found[1] not in self.wanted else None

    def exec_module(self, module: ModuleType) -> None:
        setattr(module, module.__name__.rpartition(".")[2], _Absent)


@contextmanager
def alone(exchange: str) -> Iterator[None]:
    """Inside, what is imported of ccxt has ``exchange``; others are there by ``found``. What was imported before stays."""
    finder = _Finder(exchange)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def found(package: ModuleType, exchange: str) -> Any:
    """The class of ``exchange`` in ``ccxt``, ``ccxt.async_support`` or ``ccxt.pro``, also where another was imported ``alone``.

    Raises AttributeError if ccxt has no such exchange.
    """
    known = getattr(package, exchange)
    if known is not _Absent:
        return known
    # Classes inherit from each other, over packages too: what stands in for any of them goes, and all are imported after all.
    for name in [name for name, module in sys.modules.items() if _stands_in(module)]:
        del sys.modules[name]
    for name in ("ccxt", "ccxt.async_support", "ccxt.pro"):
        if name in sys.modules:
            reload(sys.modules[name])
    return getattr(package, exchange)


def _stands_in(module: ModuleType) -> bool:
    return isinstance(getattr(getattr(module, "__spec__", None), "loader", None), _Finder)
