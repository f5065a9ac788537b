"""Which line probably looks ahead: the source is read, never run.

Every statement that can see the future, the past of another call, or chance is a suspect with a weight; those on the way
from the bars to the answer come first. The proof itself never rests on this: a suspect is only named once a check has failed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from strategies.proving.syntax import (
    JOINS,
    ahead,
    all_but_last,
    called,
    constant,
    dotted,
    forward,
    joins,
    names,
    negative,
    padded_before,
    truth,
)

Kind = Literal["future", "chance", "memory", "behind"]

# Which kinds of suspects explain which failed check.
EXPLAINS: Final[dict[str, tuple[Kind, ...]]] = {
    "prefix": ("future", "behind", "memory"),
    "poison": ("future", "behind", "memory"),
    "last-bar": ("future", "behind"),
    "repeat": ("chance", "memory"),
    "memory": ("memory", "chance"),
    "hidden": ("behind",),
    "elsewhere": ("chance", "memory"),
}
WHOLE: Final = frozenset((
    "mean", "std", "var", "max", "min", "argmax", "argmin", "median", "percentile", "quantile", "nanmean", "nanstd",
    "nanmax", "nanmin", "nanmedian", "nanpercentile", "ptp", "nanargmax", "nanargmin", "nanquantile", "rank", "average",
    "zscore", "scale", "normalize", "normalise", "minmax_scale", "corrcoef", "corr", "cov",
))  # fmt: skip
FITS: Final = frozenset((
    "polyfit", "lstsq", "fit", "fit_transform", "fit_predict", "linregress", "curve_fit", "solve", "svd", "pca",
))  # fmt: skip
ORDERS: Final = frozenset((
    "sort", "argsort", "sorted", "sort_values", "rankdata", "partition", "argpartition", "unique", "searchsorted",
    "qcut", "cut",
))  # fmt: skip
FILTERS: Final = frozenset((
    "fft", "ifft", "rfft", "irfft", "savgol_filter", "filtfilt", "sosfiltfilt", "gaussian_filter", "gaussian_filter1d",
    "uniform_filter", "uniform_filter1d", "medfilt", "detrend", "hilbert", "gradient", "wiener", "lowess", "find_peaks",
    "argrelextrema", "argrelmax", "argrelmin", "UnivariateSpline", "interp1d", "CubicSpline", "resample_poly",
    "decimate",
))  # fmt: skip
ROLLING: Final = frozenset((
    "ewm", "expanding", "groupby", "resample", "rolling", "sliding_window_view",
))  # fmt: skip
CLOCKS: Final = frozenset((
    "localtime", "monotonic", "now", "perf_counter", "perf_counter_ns", "monotonic_ns", "time", "time_ns", "today", "utcnow",
))  # fmt: skip
PLACES: Final = frozenset(("flatnonzero", "nonzero", "argwhere", "where"))
CONTAINERS: Final = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A line of the source that is odd: ``reason`` goes on from "line 17, which"."""

    line: int
    reason: str
    kind: Kind
    weight: float


def suspects(source: str) -> list[Suspect]:
    """The odd lines of ``source``, the oddest first. Empty where it does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    reader = Reader(tree)
    return sorted(reader.found(), key=lambda one: (-one.weight, one.line))


def culprit(source: str, check: str) -> Suspect | None:
    """The line that most probably made ``check`` fail, if one is odd at all."""
    kinds = EXPLAINS.get(check, ())
    return next((one for one in suspects(source) if one.kind in kinds), None)


class Reader:
    """One pass over a module: what reaches an answer, and what is odd."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self.events = any(isinstance(node, ast.FunctionDef) and node.name == "on_bar" for node in ast.walk(tree))
        self.module_names = {
            target.id
            for statement in tree.body
            if isinstance(statement, (ast.Assign, ast.AnnAssign)) and isinstance(statement.value, (*CONTAINERS, ast.Call))
            for target in ast.walk(statement)
            if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store)
        }
        self.needed = self.reaching()

    def found(self) -> Iterator[Suspect]:
        for node in ast.walk(self.tree):
            for reason, kind, weight in self.odd(node):
                line: int = getattr(node, "lineno", 1)
                yield Suspect(line, reason, kind, weight if self.on_path(node) else weight / 4)

    # -- what reaches the answer ------------------------------------------------------------------------------------

    def reaching(self) -> set[str]:
        """Names whose values come into what is returned, ordered or decided upon; backwards through assignments."""
        needed: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.Return, ast.If, ast.While, ast.IfExp)):
                needed |= names(node.value if isinstance(node, ast.Return) and node.value else getattr(node, "test", None))
            elif (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and names(node.func.value) & {"ctx", "self"}
            ):
                needed |= {name for argument in node.args for name in names(argument)}
        while True:
            more = {
                name
                for node in ast.walk(self.tree)
                if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For)) and self.targets(node) & needed
                for name in names(node.iter if isinstance(node, ast.For) else node.value) | self.targets(node)
            }
            if more <= needed:
                return needed
            needed |= more

    @staticmethod
    def targets(node: ast.AST) -> set[str]:
        told = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        return {name for target in told for name in names(target)}

    def on_path(self, node: ast.AST) -> bool:
        statement: ast.AST | None = node
        while statement is not None and not isinstance(statement, ast.stmt):
            statement = self.parents.get(statement)
        if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
            return bool(self.targets(statement) & self.needed)
        return statement is not None

    # -- what is odd ------------------------------------------------------------------------------------------------

    def odd(self, node: ast.AST) -> Iterator[tuple[str, Kind, float]]:
        if isinstance(node, ast.Call):
            yield from self.odd_call(node)
        elif isinstance(node, ast.Subscript):
            yield from self.odd_subscript(node)
        elif isinstance(node, (ast.Assign, ast.AugAssign)):
            yield from self.odd_assignment(node)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and isinstance(node.right, ast.List):
            if isinstance(node.left, (ast.ListComp, ast.Call)) and forward(node.left):
                yield "moves later values to earlier bars (list)", "future", 0.9
        elif isinstance(node, ast.Attribute):
            if node.attr == "base":
                yield "looks behind the array that was given (.base)", "behind", 1.0
            elif node.attr.startswith("_") and not node.attr.startswith("__") and names(node.value) & {"ctx", "bars", "panel"}:
                yield f"reads what is not offered ({node.attr})", "behind", 1.0
        elif isinstance(node, ast.Global):
            yield f"changes what outlives the call ({', '.join(node.names)})", "memory", 0.9

    def odd_call(self, node: ast.Call) -> Iterator[tuple[str, Kind, float]]:
        name = called(node)
        options = {keyword.arg: keyword.value for keyword in node.keywords}
        first = node.args[0] if node.args else None
        method = isinstance(node.func, ast.Attribute)
        if name in ("shift", "diff", "pct_change", "roll"):
            shift = (node.args[1] if len(node.args) > 1 else options.get("shift")) if name == "roll" else None
            shift = shift or (first if name != "roll" else None) or options.get("periods")
            if shift is not None and negative(shift):
                yield f"moves later values to earlier bars ({name} by a negative number)", "future", 1.0
            elif name == "roll":
                yield "wraps the end of the series around to its beginning (roll)", "future", 0.75
        elif name == "rolling" and truth(options.get("center")):
            yield "centres its window, half of which is the future", "future", 1.0
        elif name in ("bfill", "backfill") or constant(options.get("method")) in ("bfill", "backfill"):
            yield "fills gaps with later values", "future", 0.97
        elif name == "interpolate" or (name == "interp" and method):
            yield "fills gaps between earlier and later values", "future", 0.9
        elif name in ("convolve", "correlate") and (len(node.args) < 3 or constant(node.args[2]) != "full"):
            if constant(options.get("mode", node.args[2] if len(node.args) > 2 else None)) in ("same", "valid"):
                yield "centres its window, half of which is the future (convolve)", "future", 0.9
        elif name in JOINS and forward(node):
            yield f"moves later values to earlier bars ({name})", "future", 0.95
        elif name == "pad" and first is not None and forward(first) and not padded_before(node.args[1:2]):
            yield "moves later values to earlier bars (pad)", "future", 0.95
        elif name in PLACES and len(node.args) == 1 and first is not None and forward(first) and not self.moved_on(node):
            yield f"finds bars by the bar after them ({name})", "future", 0.7
        elif name in FILTERS:
            yield f"smooths with values from both sides of a bar ({name})", "future", 0.95
        elif name in FITS:
            yield f"fits on all the bars there are ({name})", "future", 0.85
        elif name in ("flip", "flipud", "reversed"):
            yield f"reads the series from its end ({name})", "future", 0.9
        elif name == "searchsorted" and any(dotted(part)[-2:] == ["bars", "time"] for part in node.args[:1]):
            yield (
                "puts bars into a longer one, which is known only when it has closed (searchsorted)",
                "future",
                0.8,
            )
        elif name in ORDERS:
            yield f"puts all the bars in order ({name})", "future", 0.6
        elif name in WHOLE and not self.windowed(node) and "axis" not in options:
            yield f"takes the {name} of the whole series", "future", 0.8
        elif name in ("max", "min") and not method and any(names(a) & {"bars", "close"} for a in node.args):
            yield f"takes the {name} of the whole series", "future", 0.5
        elif name in ("sum", "cumsum") and not self.windowed(node) and name == "sum" and "axis" not in options:
            yield "takes the sum of the whole series", "future", 0.45
        elif name == "resample":
            yield "puts bars together, and a longer bar is known only when it has closed (resample)", "future", 0.55
        elif name in ("merge_asof", "reindex", "ffill", "repeat") and name == "repeat":
            yield "gives each bar a value of its whole group (repeat)", "future", 0.5
        elif name in ("transform",):
            yield "gives each bar a value of its whole group (transform)", "future", 0.8
        elif name == "len" and first is not None and names(first) & {"bars", "panel", "close"} and not self.making(node):
            yield "decides by how many bars there are", "future", 0.2
        elif name == "id" and not method:
            yield "knows an array by its place in memory (id)", "memory", 1.0
        elif name in ("lru_cache", "cache", "setdefault"):
            yield f"keeps answers from one call to the next ({name})", "memory", 0.8
        yield from self.odd_chance(node, name)

    def odd_chance(self, node: ast.Call, name: str) -> Iterator[tuple[str, Kind, float]]:
        path = dotted(node.func)
        if (
            name in ("default_rng", "Random", "RandomState", "SystemRandom", "Generator")
            and not node.args
            and not node.keywords
        ):
            yield "draws random numbers without a seed", "chance", 1.0
        elif "random" in path[:-1] and name not in ("seed", "default_rng", "Random", "RandomState", "Generator"):
            yield "draws random numbers without a seed of its own", "chance", 0.95
        elif name in CLOCKS and set(path[:-1]) & {"time", "datetime", "date", "dt", "Timestamp"}:
            yield f"asks the clock ({name})", "chance", 0.9
        elif name == "hash" and len(path) == 1:
            yield "uses hash, which differs from process to process", "chance", 0.8
        elif name in ("fromtimestamp", "mktime", "strftime", "localtime", "urandom", "getenv", "getpid", "uuid4"):
            yield f"depends on the machine it runs on ({name})", "chance", 0.8
        elif name in ("_getframe", "get_objects", "get_referrers", "currentframe", "stack"):
            yield f"looks around in the process ({name})", "behind", 1.0

    def odd_subscript(self, node: ast.Subscript) -> Iterator[tuple[str, Kind, float]]:
        index = node.slice
        if joins(node):
            if forward(node):
                yield "moves later values to earlier bars (r_)", "future", 0.95
            return
        if isinstance(index, ast.Tuple) and index.elts:
            index = index.elts[0]
        if isinstance(index, ast.Slice):
            if index.step is not None and negative(index.step):
                yield "reads the series from its end ([::-1])", "future", 0.9
            elif isinstance(node.ctx, ast.Load) and index.upper is not None and ahead(index.upper):
                yield "takes a slice that reaches beyond the bar", "future", 0.7
        elif isinstance(node.ctx, ast.Load):
            if negative(index) and not self.events and not isinstance(node.value, ast.Attribute | ast.Call | ast.Name):
                return
            if negative(index) and not self.events and dotted(node.value)[-1:] not in (["shape"], ["args"]):
                what = "time" if dotted(node.value)[-1:] == ["time"] else "value"
                yield f"uses the last {what} of the series on every bar ([-1])", "future", 0.65
            elif ahead(index):
                yield "reads a later bar than the one it decides on", "future", 0.95

    def odd_assignment(self, node: ast.Assign | ast.AugAssign) -> Iterator[tuple[str, Kind, float]]:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Subscript) and (
                (all_but_last(target) and forward(node.value)) or (all_but_last(target.value) and forward(target.slice))
            ):
                yield "writes later values to earlier bars ([:-1] = [1:])", "future", 1.0
            if isinstance(target, ast.Subscript) and dotted(target.value)[:1] in (["bars"], ["panel"]):
                yield "writes into the bars that it was given", "memory", 1.0
            if isinstance(target, ast.Subscript) and names(target.value) & self.module_names:
                yield "keeps values from one call to the next", "memory", 0.9
            if isinstance(target, (ast.Attribute, ast.Subscript)) and not self.events:
                owner = dotted(target.value)
                if owner[:1] in (["self"], ["cls"]) or (len(owner) == 1 and owner[0][:1].isupper()) or "__class__" in owner:
                    yield "keeps values from one call to the next", "memory", 0.85
            elif isinstance(target, ast.Attribute) and dotted(target.value)[:1] and dotted(target.value)[0][:1].isupper():
                yield "keeps values from one run to the next", "memory", 0.85

    def moved_on(self, node: ast.Call) -> bool:
        """``flatnonzero(…) + 1``: the bar after each that was found."""
        above = self.parents.get(node)
        while isinstance(above, ast.Subscript):  # where(…)[0]
            above = self.parents.get(above)
        return isinstance(above, ast.BinOp) and isinstance(above.op, ast.Add)

    def making(self, node: ast.Call) -> bool:
        """``len(bars)`` as the size of an array or the end of a loop."""
        above = self.parents.get(node)
        return isinstance(above, (ast.Call, ast.Tuple)) or (isinstance(above, ast.Compare) and len(above.ops) == 1)

    def windowed(self, node: ast.Call) -> bool:
        """A method of a rolling or expanding window, which ends at its bar."""
        return any(isinstance(part, ast.Call) and called(part) in ROLLING for part in ast.walk(node.func)) or any(
            isinstance(part, ast.Call) and called(part) in ROLLING for argument in node.args for part in ast.walk(argument)
        )
