"""``manage.py backtest STRATEGY --instrument binance:BTC-USDT --timeframe 1h --param fast=20 --fee 0.001 --json OUT``"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, Final

from django.core.management.base import BaseCommand

from strategies import contract, library
from strategies.appraisal import Appraisal, appraise
from strategies.backtest import Decide, Outcome, backtest, library_decision, on_one_axis
from strategies.errors import InvalidBars
from strategies.management.command_line import (
    Given,
    add_conditions,
    add_json,
    add_seed,
    add_subject,
    add_values,
    bars_in,
    conditions_in,
    named,
    parameters_in,
    prepare_engine,
    refusals,
    source_in,
    stamp,
    tell,
)
from strategies.metrics.errors import REASONS
from strategies.quality import sheet
from strategies.services import subjects
from strategies.services.inspections import declared_in
from strategies.trade_list import rows
from strategies.wording import UNTESTED, WARNINGS

FLAWS: Final = {"holes": "missing", "frozen": "frozen", "silent": "without volume"}


class Command(BaseCommand):
    help = "Runs a strategy on stored bars or on a file, and prints or writes what comes of it. Nothing is stored."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_subject(parser, list(library.CATALOGUE))
        add_values(parser)
        add_conditions(parser)
        add_seed(parser, "of the confidence intervals")
        parser.add_argument("--robustness", action="store_true", help="ask whether it is luck: other trades, markets, noise")
        add_json(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with refusals():
            given = bars_in(options)
            conditions = conditions_in(options, given)
            label, values, decide = asked(options, len(given.bars))
            bars = on_one_axis(given.bars)
            prepare_engine(self, options["strategy"])
            outcome = backtest(bars, decide, conditions, seconds=given.seconds, seed=options["seed"])
            tests = appraise(bars, decide, conditions, outcome.result, seed=options["seed"]) if options["robustness"] else None
        everything, said = described(outcome, label, values, given), summary(outcome, label, values, given)
        if tests is not None:
            everything["robustness"] = tests.to_json()
            said = f"{said}\n{robustness(tests)}"
        tell(self, options, everything, said)


def asked(options: Mapping[str, Any], count: int) -> tuple[str, dict[str, Any], Decide]:
    """The strategy's name, its parameters as they were accepted, and how to ask it."""
    values = parameters_in(options["param"])
    source = source_in(options)
    if source is not None:
        declaration = declared_in(source)
        accepted = dict(contract.validate(subjects.FromDeclaration(declaration), values))
        return declaration["label"], accepted, subjects.sandboxed(source, accepted, style=declaration["style"])
    strategy = named(options["strategy"])
    legs = strategy.legs if isinstance(strategy, contract.PortfolioStrategy) else 1
    if count != legs:
        raise InvalidBars(f"{strategy.name} needs {legs} instruments, was given {count}", field="instrument")
    parameters = contract.validate(strategy, values)
    return strategy.label, dict(parameters), library_decision(strategy, parameters)


def described(outcome: Outcome, label: str, values: Mapping[str, Any], given: Given) -> dict[str, Any]:
    """Everything, as JSON. docs/backtests.md says what is in it."""
    result, metrics = outcome.result, outcome.metrics.to_json()
    trades = rows(result.trades, given.names)
    for trade in trades:
        for name in ("entry_time", "exit_time"):
            trade[name] = stamp(trade[name])
    return {
        "strategy": label,
        "parameters": dict(values),
        "instruments": given.names,
        "bars": len(result),
        "from": stamp(int(result.time[0])),
        "to": stamp(int(result.time[-1])),
        "final_equity": result.final_equity,
        "metrics": metrics["numbers"],
        "intervals": metrics["intervals"],
        "missing": metrics["missing"],
        "sampling": metrics["sampling"],
        "trades": trades,
        "orders_hash": result.orders_hash,
        "assumptions": sheet(outcome.assumptions, given.data, result.position) | {"seed": metrics["sampling"]["seed"]},
        "sensitivity": [{"name": one.name, **one.numbers} for one in outcome.sensitivity],
        "printed": outcome.printed,
        "timings": outcome.timings,
    }


def robustness(tests: Appraisal) -> str:
    """The tests, a line each."""
    patterns = {
        "chance": "{as_good:,} of {runs:,} random placements of its trades did as well (p = {p:.3f})",
        "paths": "{resampled[loss]:.1%} of redrawn accounts lost; {ruin:.1%} lost half on the way",
        "markets": "lost on {loss:.1%} of {runs} other markets; median {return[median]:.2%}",
        "noise": "median {median:.2%} under noise instead of {score:.2%}",
        "capacity": "{estimate:,.0f} before impact takes half of the profit",
    }
    lines = []
    for name, pattern in patterns.items():
        test = tests.tests.get(name)
        if test is None:
            told = f"— {UNTESTED[tests.missing[name]]}"
        elif test.get("estimate", 0) is None:
            told = "no limit seen"
        else:
            told = pattern.format(**test)
        lines.append(f"  {name:<17} {told}")
    return "\n".join(lines)


def summary(outcome: Outcome, label: str, values: Mapping[str, Any], given: Given) -> str:
    """What a person reads."""
    result, metrics = outcome.result, outcome.metrics

    def lacking(name: str) -> str:
        return f"— ({REASONS[metrics.missing[name]]})"

    def share(name: str) -> str:
        value = getattr(metrics, name)
        if value is None:
            return lacking(name)
        between = metrics.intervals.get(name)
        span = f"  (95 %: {between[0]:.2%} to {between[1]:.2%})" if between else ""
        return f"{value:.2%}{span}"

    def plain(name: str) -> str:
        value = getattr(metrics, name)
        if value is None:
            return lacking(name)
        between = metrics.intervals.get(name)
        return f"{value:.2f}" + (f"  (95 %: {between[0]:.2f} to {between[1]:.2f})" if between else "")

    first, last = stamp(int(result.time[0])), stamp(int(result.time[-1]))
    lines = [
        f"{label} on {', '.join(given.names)}: {len(result):,} bars, {first} to {last}",
        "  " + ", ".join(f"{name}={value}" for name, value in values.items()),
        f"  final equity      {result.final_equity:,.2f}",
        f"  return            {share('total_return')}",
        f"  buy and hold      {share('benchmark_return')}",
        f"  a year            {share('annual_return')}",
        f"  Sharpe            {plain('sharpe')}",
        f"  largest drawdown  {share('max_drawdown')}",
        f"  trades            {metrics.trades} ({share('win_rate')} won, profit factor {plain('profit_factor')})",
        f"  costs             {result.costs['fees']:,.2f} fees, {result.costs['slippage']:,.2f} slippage",
    ]
    for variant in outcome.sensitivity[1:]:
        equity, back = variant.numbers["final_equity"], variant.numbers["total_return"]
        lines.append(f"  {variant.name:<17} {equity:,.2f} ({back:.2%})")
    for one in given.data:
        flaws = [f"{one[name]:,} {word}" for name, word in FLAWS.items() if one[name]]
        if flaws:
            lines.append(f"  bars              {', '.join(flaws)} ({one['instrument']})")
    lines += [f"  note              {WARNINGS[code]}" for code in outcome.warnings]
    lines.append(f"  orders            {result.orders_hash}")
    if outcome.printed:
        lines += ["", "printed:", outcome.printed.rstrip()]
    return "\n".join(lines)
