"""Owns what happens to a user's file inside the jail: loaded, asked by the driver of its kind, and its errors told.

A driver is a module ``drivers/<kind>.py`` with ``drive(job, strategy)``, or ``look(job, loaded)`` where no strategy is to
be made. It returns the header and the arrays of the answer.
"""

import ast
import errno
import importlib
import random
import sys
import types
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from marketdata.bars import Bars
from strategies import contract
from strategies.sandbox.inside import api, wire

FILE: Final = "strategy.py"
MODULE: Final = "strategy"
LONGEST_MESSAGE: Final = 300
KINDS: Final = ("signals", "declaration", "prefixes", "events", "live", "orders")
DRIVERS: Final = {kind: importlib.import_module(f"strategies.sandbox.inside.drivers.{kind}") for kind in KINDS}


class Refused(Exception):
    """The file is not a strategy; ``line`` and ``column`` are in it, from 1."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line, self.column = line, column


@dataclass(frozen=True)
class Job:
    """One run: what to do, with which bars, and the descriptors of the conversation, if it is one."""

    kind: str
    task: dict[str, Any]
    bars: Bars | contract.Panel | None
    input: int
    result: int
    options: dict[str, Any] = field(default_factory=dict)


def answer(job: Job) -> list[bytes | memoryview]:
    """The frame that answers ``job``, whatever the user's file does short of ending the process."""
    try:
        random.seed(0)
        np.random.seed(0)  # the same run twice gives the same answer)
        driver = DRIVERS[job.kind]
        found = load(job.task["code"])
        if hasattr(driver, "look"):
            header, arrays = driver.look(job, found)
        else:
            strategy = found()
            header, arrays = driver.drive(job, strategy, contract.validate(strategy, job.task["parameters"]))
        return wire.encode({"kind": job.kind, **header}, arrays)
    except BaseException as error:
        return wire.encode({"kind": "error", **told(error)})


def load(code: str) -> type:
    """The one strategy class of the file. Raises Refused, or whatever running the file raises."""
    try:
        tree = ast.parse(code, FILE)
    except SyntaxError as error:
        raise Refused(f"does not parse: {error.msg}", error.lineno, error.offset) from None
    except ValueError as error:  # a NUL byte
        raise Refused(f"does not parse: {error}") from None
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module  # dataclasses look their module up
    exec(compile(tree, FILE, "exec", dont_inherit=True), module.__dict__)  # noqa: S102  (inside the jail)
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, api.BASES) and value.__module__ == MODULE
    ]
    lines = {node.name: node.lineno for node in tree.body if isinstance(node, ast.ClassDef)}
    if not found:
        raise Refused("has no strategy: define one class that derives from Strategy")
    if len(found) > 1:
        second = found[1]
        raise Refused(
            f"has {len(found)} strategies, {', '.join(c.__name__ for c in found)}; keep one", lines.get(second.__name__)
        )
    missing = sorted(getattr(found[0], "__abstractmethods__", ()))
    if missing:
        raise Refused(f"{found[0].__name__} lacks {' and '.join(missing)}", lines.get(found[0].__name__))
    return found[0]


def told(error: BaseException) -> dict[str, Any]:
    """Reason, message, and the innermost line of their file."""
    line, column = where(error), None
    if isinstance(error, Refused):
        reason, line, column = "error", error.line, error.column
        message = f"{FILE} {said(error)}"
    elif isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        reason, message = "memory", "needs more memory than a run may use"
    elif isinstance(error, contract.InvalidSignals):
        reason, message = "invalid-result", said(error)
    elif isinstance(error, contract.InvalidParameter):
        reason, message = "error", said(error)
    elif isinstance(error, OSError) or (isinstance(error, RuntimeError) and "start new thread" in said(error)):
        reason = "forbidden"
        message = f"{type(error).__name__}: {said(error)}. A strategy has no files, network, processes or threads"
    else:
        reason, message = "error", f"{type(error).__name__}: {said(error)}".removesuffix(": ")
    return {"reason": reason, "message": message[:LONGEST_MESSAGE], "line": line, "column": column}


def said(error: BaseException) -> str:
    """The text of an exception, whose class may be theirs."""
    try:
        text = str(error)
    except BaseException:
        return ""
    return text[:LONGEST_MESSAGE] if type(text) is str else ""


def where(error: BaseException) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == FILE:
        return error.lineno
    line, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == FILE:
            line = frame.tb_lineno
        frame = frame.tb_next
    return line
