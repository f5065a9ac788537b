"""A user's file as a strategy in this process, as the sandbox loads it, and the bars that proofs are made on here."""

from __future__ import annotations

import sys
import types
from functools import cache
from itertools import count

from marketdata.bars import Bars
from strategies.contract import Declared, EventStrategy, Panel, PortfolioStrategy
from tests.strategies.library.series import panel_of, walk

_numbers = count()


def loaded(code: str) -> Declared:
    """An instance of the strategy in ``code``, in a module of its own that nothing else has run in."""
    module = types.ModuleType(f"planted_{next(_numbers)}")
    sys.modules[module.__name__] = module
    exec(compile(code, "strategy.py", "exec"), module.__dict__)
    bases = (Declared,)
    found = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, bases) and one.__module__ == module.__name__
    ]
    return found[0]()


@cache
def bars_for(style: type[Declared], length: int = 1500) -> Bars | Panel:
    bars = walk(5, 600 if issubclass(style, EventStrategy) else length)
    return panel_of(bars, getattr(style, "legs", 2)) if issubclass(style, PortfolioStrategy) else bars
