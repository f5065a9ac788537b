"""Asks memory for what a loop will read soon, so that it is there by then.

Bars that are only walked over read two of their six columns. A fill at the open of the next one reads the others, and would
wait for each longer than its own work takes: half of the time of a simulation of a million bars.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LINE = 8  # numbers that memory hands over at once
AHEAD = 8 * LINE


@intrinsic
def fetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Ask memory for a number of a contiguous array that is read soon; nothing waits for it, and any place may be named."""

    def generated(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(array)(context, builder, arguments[0])
        pointer = builder.bitcast(builder.gep(view.data, [arguments[1]]), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, *[ir.IntType(32)] * 3])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, [pointer, *[ir.Constant(ir.IntType(32), number) for number in (0, 3, 1)]])
        return context.get_dummy_value()

    return types.void(array, index), generated


@njit(cache=True, inline="always")
def fetch_bar(opened: Any, high: Any, low: Any, volume: Any, i: int) -> None:
    """What a fill at the open of bar ``i`` reads. Bars that are only walked over do not read it, so a fill would wait for it
    longer than its own work takes."""
    fetch(opened, i)
    fetch(high, i)
    fetch(low, i)
    fetch(volume, i)


@njit(cache=True, inline="always")
def fetch_range(low: Any, high: Any, place: int) -> None:
    """The first bars of a position, of which ``place`` is the first: memory goes on with the next by itself."""
    for line in range(4):
        fetch(low, place + line * LINE)
        fetch(high, place + line * LINE)
