"""Rules between parameters, written as expressions ("fast < slow"), read by a tiny grammar and never by ``eval``.

The grammar is a part of Python's: numbers, quoted texts, parameter names, ``+ - * / // %``, comparisons (also chained), ``and
or not``, ``in`` with a list of constants, and ``min max abs``. There is no power, no attribute, no index and no other call,
and every node has a known kind (number, text, truth), so that an expression of 300 characters costs next to nothing and can
reach nothing. It is evaluated over whole columns at once, which makes it cheap on a grid of millions.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from strategies.robustness.samples import Flags, InvalidSpace

Kind = Literal["number", "text", "truth"]
Columns = Mapping[str, npt.NDArray[Any]]
LONGEST: Final = 300


@dataclass(frozen=True)
class Node:
    """A part of an expression: what kind of value it has, and how to get it from columns of parameter values."""

    kind: Kind
    value: Callable[[Columns], Any]


@dataclass(frozen=True)
class Constraint:
    """A rule that parameter values must satisfy. ``text`` is the expression; made by ``parse``."""

    text: str
    names: frozenset[str]
    _node: Node = field(repr=False, compare=False)

    def mask(self, columns: Columns) -> Flags:
        """Which rows satisfy the rule.

        Parameters
        ----------
        columns : mapping of name to (n,) array
            Values of every parameter that the rule names.

        Returns
        -------
        (n,) bool
            A division by zero has no value, and a comparison with it does not hold.
        """
        with np.errstate(all="ignore"):
            return np.asarray(self._node.value(columns), dtype=np.bool_)

    def holds(self, values: Mapping[str, object]) -> bool:
        """Whether one set of values satisfies the rule."""
        return bool(self.mask({name: np.asarray([values[name]]) for name in self.names})[0])


def parse(text: str, kinds: Mapping[str, Kind]) -> Constraint:
    """The rule that ``text`` writes, over the parameters named in ``kinds``.

    Raises
    ------
    InvalidSpace
        If the text is too long, does not parse, uses anything outside the grammar, names an unknown parameter, mixes
        texts with numbers, or is not a comparison.
    """
    if len(text) > LONGEST:
        raise InvalidSpace(f"a constraint must have at most {LONGEST} characters, had {len(text)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # "1 is 2" warns before it is refused below
            tree = ast.parse(text.strip(), mode="eval").body
        reader = _Reader(kinds)
        node = reader.read(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise InvalidSpace(f"constraint {text!r} does not parse; write it like fast < slow") from error
    if node.kind != "truth":
        raise InvalidSpace(f"constraint {text!r} must compare something, like fast < slow; it is a {node.kind}")
    if not reader.names:
        raise InvalidSpace(f"constraint {text!r} names no parameter; there are {', '.join(kinds)}")
    return Constraint(text.strip(), frozenset(reader.names), node)


def _divide(a: Any, b: Any) -> Any:
    return np.where(np.equal(b, 0), np.nan, np.true_divide(a, b))


def _floor_divide(a: Any, b: Any) -> Any:
    return np.where(np.equal(b, 0), np.nan, np.floor_divide(a, np.where(np.equal(b, 0), 1, b)))


def _remainder(a: Any, b: Any) -> Any:
    return np.where(np.equal(b, 0), np.nan, np.mod(a, np.where(np.equal(b, 0), 1, b)))


ARITHMETIC: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: _divide,
    ast.FloorDiv: _floor_divide,
    ast.Mod: _remainder,
}
COMPARISONS: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    # A value that is not there differs from nothing either: NaN != 3 must not hold.
    ast.NotEq: lambda a, b: np.not_equal(a, b) & ~(_missing(a) | _missing(b)),
}


def _missing(value: Any) -> Any:
    array = np.asarray(value)
    return np.isnan(array) if array.dtype.kind == "f" else np.zeros(array.shape, np.bool_)


class _Reader:
    """Turns the allowed nodes of a syntax tree into ``Node``s and refuses every other."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self.kinds = kinds
        self.names: set[str] = set()

    def read(self, tree: ast.expr) -> Node:
        match tree:
            case ast.Constant():
                return self._constant(tree)
            case ast.Name(id=name):
                return self._name(name)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                a, b, combine = self._number(left), self._number(right), ARITHMETIC[type(op)]
                return Node("number", lambda c: combine(a.value(c), b.value(c)))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                a = self._number(operand)
                return Node("number", lambda c: np.negative(a.value(c)))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                a = self._truth(operand)
                return Node("truth", lambda c: np.logical_not(a.value(c)))
            case ast.BoolOp(op=op, values=values):
                parts = [self._truth(value) for value in values]
                join = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return Node("truth", lambda c: reduce(join, (part.value(c) for part in parts)))
            case ast.Compare():
                return self._comparison(tree)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in ("min", "max", "abs"):
                return self._call(name, args)
        raise InvalidSpace(f"a constraint cannot use {ast.unparse(tree)!r}; write it like fast < slow and 2 * risk <= 5")

    def _constant(self, tree: ast.Constant) -> Node:
        value = tree.value
        if isinstance(value, str):
            return Node("text", lambda c: value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidSpace(f"a constraint cannot use {value!r}; numbers and quoted texts are known")
        number = float(value)
        return Node("number", lambda c: number)

    def _name(self, name: str) -> Node:
        if name not in self.kinds:
            raise InvalidSpace(f"a constraint names {name!r}; the parameters are {', '.join(self.kinds)}", field=name)
        self.names.add(name)
        return Node(self.kinds[name], lambda c: c[name])

    def _number(self, tree: ast.expr) -> Node:
        return self._of_kind(tree, "number")

    def _truth(self, tree: ast.expr) -> Node:
        return self._of_kind(tree, "truth")

    def _of_kind(self, tree: ast.expr, kind: Kind) -> Node:
        node = self.read(tree)
        if node.kind != kind:
            raise InvalidSpace(f"{ast.unparse(tree)!r} is a {node.kind} where a {kind} is needed")
        return node

    def _call(self, name: str, args: list[ast.expr]) -> Node:
        parts = [self._number(arg) for arg in args]
        if name == "abs":
            if len(parts) != 1:
                raise InvalidSpace(f"abs takes one number, was given {len(parts)}")
            return Node("number", lambda c: np.abs(parts[0].value(c)))
        if len(parts) < 2:
            raise InvalidSpace(f"{name} takes two numbers or more, was given {len(parts)}")
        join = np.minimum if name == "min" else np.maximum
        return Node("number", lambda c: reduce(join, (part.value(c) for part in parts)))

    def _comparison(self, tree: ast.Compare) -> Node:
        links: list[Callable[[Columns], Any]] = []
        left_tree = tree.left
        for op, right_tree in zip(tree.ops, tree.comparators, strict=True):
            links.append(self._link(left_tree, op, right_tree))
            left_tree = right_tree
        return Node("truth", lambda c: reduce(np.logical_and, (link(c) for link in links)))

    def _link(self, left_tree: ast.expr, op: ast.cmpop, right_tree: ast.expr) -> Callable[[Columns], Any]:
        left = self.read(left_tree)
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right_tree, ast.Tuple | ast.List | ast.Set):
                raise InvalidSpace("in takes a list of values, like mode in ('long', 'short')")
            members = [self._of_kind(member, left.kind) for member in right_tree.elts]
            if not members:
                raise InvalidSpace("in takes a list of values and was given an empty one")
            inside = isinstance(op, ast.In)

            def among(c: Columns) -> Any:
                found = reduce(np.logical_or, (np.equal(left.value(c), member.value(c)) for member in members))
                return found if inside else np.logical_not(found)

            return among
        compare = COMPARISONS.get(type(op))
        right = self.read(right_tree)
        if compare is None or (left.kind == "text" and not isinstance(op, ast.Eq | ast.NotEq)):
            raise InvalidSpace(f"a constraint cannot compare like {ast.unparse(_one(left_tree, op, right_tree))!r}")
        if left.kind != right.kind or left.kind == "truth":
            raise InvalidSpace(f"{ast.unparse(left_tree)!r} is a {left.kind} and {ast.unparse(right_tree)!r} is a {right.kind}")
        return lambda c: compare(left.value(c), right.value(c))


def _one(left: ast.expr, op: ast.cmpop, right: ast.expr) -> ast.Compare:
    """One comparison out of a chain, to be shown in a message."""
    return ast.Compare(left=left, ops=[op], comparators=[right])
