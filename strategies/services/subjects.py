"""Owns what a run is of: a strategy of the library in this process, or a version of a user's in the sandbox."""

from __future__ import annotations

import atexit
import hashlib
import json
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clusterx.errors import DomainError
from marketdata.bars import Bars
from strategies import contract, library
from strategies.contract import Declared, Panel, Parameter, Parameters, PortfolioStrategy
from strategies.errors import InvalidRunRequest, Refused
from strategies.models import Run, UserStrategy, Version

if TYPE_CHECKING:
    from strategies.backtest import Decide, Decision
    from strategies.conditions import Conditions
    from strategies.sandbox.pool import Pool

MOST_LEGS: Final = 8
MOST_PARAMETERS: Final = 64
LONGEST_TEXT: Final = 120
# What a library strategy's answer depends on.
CODE: Final = (
    "strategies/library",
    "strategies/contract.py",
    "strategies/higher.py",
    "strategies/regimes",
    "marketdata/indicators",
)
ABOUT: Final = ("documentation.py", "pictures.py")  # what writes of them changes no answer


class FromDeclaration(Declared):
    """What the sandbox read in a user's file, for checking parameters outside of it."""

    def __init__(self, declaration: Mapping[str, Any]) -> None:
        self.name = declaration["name"]  # type: ignore[misc]
        self.label = declaration["label"]  # type: ignore[misc]
        self.parameters = tuple(  # type: ignore[misc]
            Parameter(**(one | {"choices": tuple((value, label) for value, label in one["choices"])}))
            for one in declaration["parameters"]
        )

    def history(self, p: Parameters) -> int:
        raise NotImplementedError("only the sandbox knows")


@dataclass(frozen=True)
class Subject:
    """A library strategy (``declared``) or a user's ``version``, whose code is never run here."""

    declared: Declared | None = None
    version: Version | None = None

    @property
    def legs(self) -> tuple[int, int]:
        """How many instruments it takes, at least and at most."""
        if self.declared is not None:
            legs = self.declared.legs if isinstance(self.declared, PortfolioStrategy) else 1
            return legs, legs
        known = self._declaration
        if known is None:
            return 1, MOST_LEGS
        if known["style"] != "PortfolioStrategy":
            return 1, 1
        # An older inspection did not ask.
        return (known["legs"], known["legs"]) if "legs" in known else (2, MOST_LEGS)

    @property
    def code_hash(self) -> str:
        return self.version.sha256 if self.version is not None else library_hash()

    @property
    def _declaration(self) -> Mapping[str, Any] | None:
        inspection = getattr(self.version, "inspection", None) if self.version is not None else None
        return inspection.declaration if inspection is not None else None

    def accept(self, values: Mapping[str, object]) -> dict[str, Any]:
        """Parameters as a run stores them. Where a version has not been inspected yet, they are checked when it runs.

        Raises InvalidParameter; ``facts["field"]`` is ``parameters.<name>``.
        """
        if self.declared is not None:
            return contract.validate_asked(self.declared, values).to_json()
        known = self._declaration
        if known is not None:
            return contract.validate_asked(FromDeclaration(known), values).to_json()
        return {"version": contract.VERSION, "values": plain_values(values)}

    def decide(self, stored: Mapping[str, Any], timeframe: str) -> Decide:
        """How to ask it, with the parameters and the timeframe that a run stored.

        Raises InvalidParameter if they are no longer accepted.
        """
        if self.declared is not None:
            from strategies.backtest import library_decision

            return library_decision(self.declared, contract.read(self.declared, stored))
        assert self.version is not None
        if self.version.strategy.kind == UserStrategy.Kind.RULES:
            from strategies.backtest import library_decision

            built = rules_strategy(self.version.rules, timeframe)
            return library_decision(built, contract.read(built, stored))
        known = self._declaration
        return sandboxed(self.version.source, stored["values"], style=known["style"] if known is not None else None)


def subject_of(run: Run) -> Subject:
    """What ``run`` is of. Raises UnknownStrategy if the library has it no longer."""
    return Subject(version=run.version) if run.version is not None else Subject(declared=library.find(run.library))


def rules_strategy(rules: Mapping[str, Any] | None, timeframe: str | None = None) -> Declared:
    """The strategy that rules describe, for bars of ``timeframe``. Raises Refused where they describe none."""
    from strategies.rules import compile_rule

    try:
        return compile_rule(rules, timeframe=timeframe)
    except DomainError as error:
        raise Refused(error.message, reason=error.code) from None


@cache
def library_hash() -> str:
    """SHA-256 of the files that a library strategy's answer depends on."""
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for place in CODE:
        found = root / place
        for file in sorted(found.rglob("*.py")) if found.is_dir() else filter(Path.is_file, [found]):
            if file.name in ABOUT:
                continue
            digest.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def text_hash(source: str, rules: Mapping[str, Any] | None) -> str:
    """SHA-256 of a version's content."""
    text = source if rules is None else json.dumps(rules, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def plain_values(values: Mapping[str, object]) -> dict[str, int | float | str]:
    """Raises InvalidRunRequest unless they are names with numbers or short texts."""
    if len(values) > MOST_PARAMETERS:
        raise InvalidRunRequest(f"parameters must be at most {MOST_PARAMETERS}, were {len(values)}", field="parameters")
    for name, value in values.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e15
        text = isinstance(value, str) and len(value) <= LONGEST_TEXT
        if not str(name).isidentifier() or len(name) > MOST_PARAMETERS or not (number or text):
            raise InvalidRunRequest(
                f"{str(name)[:LONGEST_TEXT]} must be a number or a short text", field=f"parameters.{str(name)[:60]}"
            )
    return dict(values)  # type: ignore[arg-type]


# -- the sandbox --------------------------------------------------------------------------------------------------

_pool: Pool | None = None
_lock = threading.Lock()


def pool() -> Pool:
    """This process's pool; its zygotes start when they are first needed."""
    global _pool
    with _lock:
        if _pool is None:
            from strategies.sandbox.pool import Pool

            _pool = Pool()
            atexit.register(_pool.close)
        return _pool


def sandboxed(source: str, values: Mapping[str, Any], *, style: str | None = None) -> Decide:
    """Asks a user's code, inside the sandbox. Its reason codes become those of Refused.

    ``style`` is what an inspection found; without it the file is asked for its declaration first.
    """

    def decide(bars: Sequence[Bars], conditions: Conditions) -> Decision:
        from strategies.backtest import Decision
        from strategies.sandbox.tasks import Account

        answer: Any = pool().declaration(source) if style is None else None
        if answer is None or answer.ok:
            match style or answer.style:
                case "PortfolioStrategy":
                    answer = pool().signals(source, Panel(tuple(bars)), values)
                case "EventStrategy":
                    account = Account(conditions.markets[0], conditions.costs, conditions.rules, conditions.cash)
                    answer = pool().events(source, bars[0], values, account=account)
                case _:
                    answer = pool().signals(source, bars[0], values)
        if not answer.ok:
            raise Refused(answer.message, reason=str(answer.reason), line=answer.line, printed=answer.printed)
        return Decision(signals=answer.signals, exposures=answer.exposures, intents=answer.intents, printed=answer.printed)

    return decide
