"""``manage.py prove STRATEGY|--code FILE.py [--bars FILE | --instrument binance:BTC-USDT --timeframe 1h] [--json OUT]``"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand

from marketdata.bars import Bars
from strategies import contract, library
from strategies.backtest import on_one_axis
from strategies.contract import Panel
from strategies.errors import InvalidBars
from strategies.management.command_line import (
    Given,
    add_json,
    add_seed,
    add_subject,
    add_values,
    bars_in,
    named,
    parameters_in,
    prepare_engine,
    refusals,
    source_in,
    tell,
)
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
        add_subject(parser, list(library.CATALOGUE))
        add_values(parser)
        add_seed(parser, "of the questions, and of the bars where none are named")
        add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with refusals():
            label, proof = proved(self, options)
        tell(self, options, {"strategy": label, "warm_up": proof.warm_up, **proof.to_json()}, summary(label, proof))
        if not proof.passed:
            raise SystemExit(1)


def proved(command: BaseCommand, options: Mapping[str, Any]) -> tuple[str, Proof]:
    """The strategy's name and the proof of it, on the bars that were named or on invented ones."""
    values = parameters_in(options["param"])
    with ExitStack() as stack:
        source = source_in(options)
        if source is not None:
            found = declared_in(source)
            values = dict(contract.validate(subjects.FromDeclaration(found), values))
            pool = stack.enter_context(proofs.noticing())
            label, candidate = found["label"], proofs.file_of(pool, source, found, values, seed=options["seed"])
        else:
            strategy = named(options["strategy"])
            prepare_engine(command, options["strategy"])
            label, candidate = strategy.label, proofs.ours(strategy, values, seed=options["seed"])
        if not options["bars"] and not options["instrument"]:
            return label, proofs.proof_of(candidate)
        given = bars_in(options)
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
