"""Questions to a piece of source: what it names, what it calls, and whether a later bar is set where an earlier one stands."""

from __future__ import annotations

import ast
from typing import Final

JOINS: Final = frozenset(("append", "concatenate", "hstack"))


def names(node: ast.AST | None) -> set[str]:
    return set() if node is None else {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def called(node: ast.Call) -> str:
    return (dotted(node.func) or [""])[-1]


def dotted(node: ast.AST) -> list[str]:
    """``a.b.c`` as its parts; what is called or indexed on the way is left out."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [*dotted(node.value), node.attr]
    if isinstance(node, (ast.Call, ast.Subscript)):
        return dotted(node.func if isinstance(node, ast.Call) else node.value)
    return []


def constant(node: ast.AST | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def truth(node: ast.AST | None) -> bool:
    return node is not None and constant(node) is not False


def negative(node: ast.AST) -> bool:
    """-1, -k, or a constant below 0."""
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def forward(node: ast.AST) -> bool:
    """A slice ``[1:]`` or a difference, whose first element is of the second bar.

    Of what is put together only the beginning counts: ``r_[False, close[1:] > close[:-1]]`` stands where it belongs.
    """
    if joins(node):
        return forward(beginning(node))
    if isinstance(node, ast.Slice):
        return node.lower is not None and not negative(node.lower) and constant(node.lower) != 0 and node.upper is None
    if isinstance(node, ast.Call) and called(node) == "diff":
        return not any(keyword.arg == "prepend" for keyword in node.keywords)
    return any(forward(part) for part in ast.iter_child_nodes(node))


def joins(node: ast.AST) -> bool:
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Attribute | ast.Name) and dotted(node.value)[-1:] == ["r_"]
    return isinstance(node, ast.Call) and called(node) in JOINS and bool(node.args)


def beginning(node: ast.AST) -> ast.AST:
    """The first of what ``joins``."""
    first: ast.AST = node.slice if isinstance(node, ast.Subscript) else node.args[0] if isinstance(node, ast.Call) else node
    return first.elts[0] if isinstance(first, (ast.Tuple, ast.List)) and first.elts else first


def all_but_last(node: ast.AST) -> bool:
    """``x[:-1]``, ``x[: n - 1]``."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Slice):
        return False
    upper = node.slice.upper
    less = upper is not None and (negative(upper) or (isinstance(upper, ast.BinOp) and isinstance(upper.op, ast.Sub)))
    return less and (node.slice.lower is None or constant(node.slice.lower) == 0)


def padded_before(widths: list[ast.expr]) -> bool:
    """``pad(x, (1, 0))``: filled up at its beginning, where it may belong."""
    width: ast.AST | None = widths[0] if widths else None
    while isinstance(width, (ast.Tuple, ast.List)) and width.elts:
        width = width.elts[0]
    return constant(width) != 0


def ahead(node: ast.AST) -> bool:
    """``i + 1``, ``i + k``, ``ctx.index + 1``: something counted from a bar onwards."""
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Add)
        and any(isinstance(side, (ast.Name, ast.Attribute)) for side in (node.left, node.right))
    )
