"""``manage.py prove STRATEGY|--code FILE.py [--bars FILE | --instrument binance:BTC-USDT --timeframe 1h] [--json OUT]``"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from clusterx.errors import DomainError
from marketdata.bars import Bars
from marketdata.timeframes import TIMEFRAMES
from strategies import contract, library
from strategies.backtest import on_one_axis
from strategies.contract import Panel
from strategies.errors import InvalidBars, Refused
from strategies.management.commands.backtest import Given, from_database, from_files, moment, named, parameters_in
from strategies.proving.verdict import CHECKS
from strategies.services import proofs, subjects
from strategies.services.inspections import declared_in
from strategies.services.proofs import Asked, Candidate, Proof

# The newest of longer series: a proof is about the bars that it was made on, whichever these are.
MOST: int = 5_000


class Command(BaseCommand):
    help = "Asks a strategy whether it looks ahead, remembers, or needs more history than it says. Exit code 1 when it does."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("strategy", nargs="?", default="", help=f"one of {', '.join(library.CATALOGUE)}")
        parser.add_argument("--code", type=Path, help="a file with a strategy of your own; it runs in the sandbox")
        parser.add_argument("--instrument", action="append", default=[], help="as in binance:BTC-USDT; twice for a pair")
        parser.add_argument("--bars", action="append", default=[], type=Path, help="a CSV or Parquet file")
        parser.add_argument("--timeframe", help=f"one of {', '.join(TIMEFRAMES)}; of a file it is found out")
        parser.add_argument("--from", dest="start", type=moment, help="first bar, as in 2023-01-01 or 2023-01-01T12:00")
        parser.add_argument("--to", dest="end", type=moment, help="before this bar")
        parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="of the strategy; repeat it")
        parser.add_argument("--seed", type=int, default=1, help="of the questions, and of the bars where none are named")
        parser.add_argument("--json", metavar="OUT", help="write the verdict there; - for standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            label, proof = proved(options)
        except Refused as error:
            line = f" (line {error.line})" if error.line else ""
            raise CommandError(f"{error.reason}: {error.message}{line}") from None
        except DomainError as error:
            raise CommandError(f"{error.code}: {error.message}") from None
        told = json.dumps({"strategy": label, "warm_up": proof.warm_up, **proof.to_json()}, allow_nan=False)
        if options["json"] == "-":
            self.stdout.write(told)
        else:
            if options["json"]:
                try:
                    Path(options["json"]).write_text(told + "\n")
                except OSError as error:
                    raise CommandError(f"{options['json']} cannot be written: {error.strerror}") from None
            self.stdout.write(summary(label, proof))
        if not proof.passed:
            raise SystemExit(1)


def proved(options: Mapping[str, Any]) -> tuple[str, Proof]:
    """The strategy's name and the proof of it, on the bars that were named or on invented ones."""
    values = parameters_in(options["param"])
    with ExitStack() as stack:
        if options["code"] is not None:
            if options["strategy"]:
                raise CommandError("name a strategy or a file with one, not both")
            try:
                source = options["code"].read_text()
            except (OSError, UnicodeDecodeError) as error:
                raise CommandError(f"{options['code']} cannot be read: {error}") from None
            found = declared_in(source)
            values = dict(contract.validate(subjects.FromDeclaration(found), values))
            pool = stack.enter_context(proofs.noticing())
            label, candidate = found["label"], proofs.file_of(pool, source, found, values, seed=options["seed"])
        else:
            strategy = named(options["strategy"])
            label, candidate = strategy.label, proofs.ours(strategy, values, seed=options["seed"])
        if not options["bars"] and not options["instrument"]:
            return label, proofs.proof_of(candidate)
        given = from_files(options) if options["bars"] else from_database(options)
        return label, proofs.proof_on(candidate, ", ".join(given.names), handed(given, candidate))


def handed(given: Given, candidate: Candidate) -> Bars | Panel:
    """The newest of the bars, in the shape that the strategy takes. Raises InvalidBars for too few or too many series."""
    if len(given.bars) != candidate.legs:
        raise InvalidBars(f"it needs {candidate.legs} instruments, was given {len(given.bars)}", field="instrument")
    series = [bars.tail(MOST) for bars in on_one_axis(given.bars)]
    if any(not np.isfinite(bars.close).all() for bars in series):
        raise InvalidBars("every bar of one instrument must be there for the others too", field="bars")
    return Panel(tuple(series)) if candidate.legs > 1 else series[0]


def summary(label: str, proof: Proof) -> str:
    """What a person reads."""
    warm_up = "not found" if proof.warm_up is None else f"{proof.warm_up:,} bars"
    return "\n".join(
        [
            f"{label}: {'passed' if proof.passed else 'FAILED'}",
            *(on_one(asked) for asked in proof.asked),
            f"  warm-up: {warm_up}",
        ]
    )


def on_one(asked: Asked) -> str:
    verdict = asked.verdict
    lines = [f"  on {asked.on}, {proofs.stamp(asked.bars, 0)} to {proofs.stamp(asked.bars, -1)}: {verdict.summary}"]
    for check in verdict.checks:
        mark = "—" if not check.count else "yes" if check.passed else "NO"
        lines.append(f"    {mark:<4}{CHECKS[check.name]} ({check.count:,}){f': {check.note}' if check.note else ''}")
    lines += [f"    {failure.check}: {failure.sentence}" for failure in verdict.failures]
    lines += [f"    note: {hint}" for hint in verdict.hints]
    return "\n".join(lines)
