"""``manage.py backtest STRATEGY --instrument binance:BTC-USDT --timeframe 1h --param fast=20 --fee 0.001 --json OUT``"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from clusterx.errors import DomainError
from marketdata.bars import Bars
from marketdata.timeframes import TIMEFRAMES, Timeframe
from strategies import contract, library
from strategies.appraisal import Appraisal, appraise
from strategies.backtest import Decide, Outcome, backtest, library_decision, on_one_axis
from strategies.conditions import Conditions, read_costs, read_rules
from strategies.engine.model import Market
from strategies.errors import InvalidBars, NoBars, Refused
from strategies.files import bars_from, calendar_of, length_of
from strategies.services import subjects
from strategies.services.inspections import declared_in
from strategies.trade_list import rows


@dataclass(frozen=True)
class Given:
    """What is simulated on: names, bars, and how each instrument is traded."""

    names: list[str]
    bars: list[Bars]
    markets: tuple[Market, ...]
    seconds: int
    calendar: str


class Command(BaseCommand):
    help = "Runs a strategy on stored bars or on a file, and prints or writes what comes of it. Nothing is stored."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("strategy", nargs="?", default="", help=f"one of {', '.join(library.CATALOGUE)}")
        parser.add_argument("--code", type=Path, help="a file with a strategy of your own; it runs in the sandbox")
        parser.add_argument("--instrument", action="append", default=[], help="as in binance:BTC-USDT; twice for a pair")
        parser.add_argument("--bars", action="append", default=[], type=Path, help="a CSV or Parquet file instead")
        parser.add_argument("--timeframe", help=f"one of {', '.join(TIMEFRAMES)}; of a file it is found out")
        parser.add_argument("--from", dest="start", type=moment, help="first bar, as in 2023-01-01 or 2023-01-01T12:00")
        parser.add_argument("--to", dest="end", type=moment, help="before this bar")
        parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="of the strategy; repeat it")
        parser.add_argument("--cash", type=float, default=10_000.0)
        parser.add_argument("--fee", type=float, default=0.0, help="share of each fill's value: 0.001 is 0.1 %%")
        parser.add_argument("--slippage", type=float, default=0.0, help="share of price that market orders lose")
        parser.add_argument("--fill", choices=("next-open", "close"), default="next-open")
        parser.add_argument("--leverage", type=float, default=1.0)
        parser.add_argument("--seed", type=int, default=1, help="of the confidence intervals")
        parser.add_argument("--robustness", action="store_true", help="ask whether it is luck: other trades, markets, noise")
        parser.add_argument("--json", metavar="OUT", help="write everything there; - for standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            given = from_files(options) if options["bars"] else from_database(options)
            conditions = Conditions(
                cash=options["cash"],
                costs=read_costs({"fee": options["fee"], "slippage": options["slippage"]}),
                rules=read_rules({"fill": options["fill"], "leverage": options["leverage"]}),
                markets=given.markets,
                calendar=given.calendar,  # type: ignore[arg-type]
            )
            label, values, decide = asked(options, len(given.bars))
            bars = on_one_axis(given.bars)
            outcome = backtest(bars, decide, conditions, seconds=given.seconds, seed=options["seed"])
            tests = appraise(bars, decide, conditions, outcome.result, seed=options["seed"]) if options["robustness"] else None
        except Refused as error:
            line = f" (line {error.line})" if error.line else ""
            raise CommandError(f"{error.reason}: {error.message}{line}") from None
        except DomainError as error:
            raise CommandError(f"{error.code}: {error.message}") from None
        if options["json"]:
            everything = described(outcome, label, values, given)
            if tests is not None:
                everything["robustness"] = tests.to_json()
            told = json.dumps(everything, allow_nan=False)
            if options["json"] == "-":
                self.stdout.write(told)
                return
            try:
                Path(options["json"]).write_text(told + "\n")
            except OSError as error:
                raise CommandError(f"{options['json']} cannot be written: {error.strerror}") from None
        self.stdout.write(summary(outcome, label, values, given))
        if tests is not None:
            self.stdout.write(robustness(tests))


def moment(text: str) -> datetime:
    """A date or a time of it, UTC where it says nothing else."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def from_files(options: Mapping[str, Any]) -> Given:
    if options["instrument"]:
        raise CommandError("name an instrument or a file, not both")
    series = []
    for path in options["bars"]:
        bars = bars_from(path)
        first = int(options["start"].timestamp()) if options["start"] else 0
        last = int(options["end"].timestamp()) if options["end"] else sys.maxsize
        series.append(between(bars, first, last))
    seconds = Timeframe.of(timeframe_in(options)).seconds if options["timeframe"] else length_of(series[0])
    return Given([path.name for path in options["bars"]], series, (Market(),) * len(series), seconds, calendar_of(series[0]))


def between(bars: Bars, first: int, last: int) -> Bars:
    inside = (bars.time >= first) & (bars.time < last)
    if inside.all():
        return bars
    time, *prices = bars.columns
    return Bars(time[inside], *(column[inside] for column in prices))  # type: ignore[arg-type]


def from_database(options: Mapping[str, Any]) -> Given:
    from marketdata.models import Instrument
    from marketdata.store import BarStore

    if not options["instrument"]:
        raise CommandError("name an instrument (--instrument binance:BTC-USDT) or a file (--bars FILE)")
    timeframe = Timeframe.of(timeframe_in(options))
    series, markets, calendars = [], [], set()
    for ref in options["instrument"]:
        found = Instrument.objects.filter(ref=ref).first()
        if found is None:
            raise CommandError(f"there is no instrument {ref}")
        first = int(options["start"].timestamp()) if options["start"] else None
        last = int(options["end"].timestamp()) if options["end"] else None
        bars = BarStore().read(found.pk, timeframe.name, start=first, end=last)
        if len(bars) < 2:
            raise NoBars(f"{ref} has {len(bars)} bars of {timeframe} in that span; a run needs 2 or more", found=len(bars))
        series.append(bars)
        markets.append(
            Market(tick=float(found.tick_size), lot=float(found.lot_size), minimum_notional=float(found.min_notional))
        )
        calendars.add("crypto" if found.calendar == "24/7" else "exchange")
    calendar = "crypto" if "crypto" in calendars else "exchange"
    return Given(list(options["instrument"]), series, tuple(markets), timeframe.seconds, calendar)


def timeframe_in(options: Mapping[str, Any]) -> str:
    if options["timeframe"] not in TIMEFRAMES:
        raise CommandError(f"--timeframe must be one of {', '.join(TIMEFRAMES)}, was {options['timeframe']!r}")
    return str(options["timeframe"])


def asked(options: Mapping[str, Any], count: int) -> tuple[str, dict[str, Any], Decide]:
    """The strategy's name, its parameters as they were accepted, and how to ask it."""
    values = parameters_in(options["param"])
    if options["code"] is not None:
        if options["strategy"]:
            raise CommandError("name a strategy or a file with one, not both")
        try:
            source = options["code"].read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{options['code']} cannot be read: {error}") from None
        declaration = declared_in(source)
        accepted = dict(contract.validate(subjects.FromDeclaration(declaration), values))
        return declaration["label"], accepted, subjects.sandboxed(source, accepted, style=declaration["style"])
    strategy = named(options["strategy"])
    legs = strategy.legs if isinstance(strategy, contract.PortfolioStrategy) else 1
    if count != legs:
        raise InvalidBars(f"{strategy.name} needs {legs} instruments, was given {count}", field="instrument")
    parameters = contract.validate(strategy, values)
    return strategy.label, dict(parameters), library_decision(strategy, parameters)


def named(name: str) -> contract.Declared:
    """``sma-cross``, also as ``SmaCross`` and ``sma_cross``."""

    def plain(text: str) -> str:
        return text.lower().replace("-", "").replace("_", "").replace(" ", "")

    for strategy in library.CATALOGUE.values():
        if plain(name) in {plain(strategy.name), plain(type(strategy).__name__)}:
            return strategy
    return library.find(name)


def parameters_in(texts: Sequence[str]) -> dict[str, int | float | str]:
    values: dict[str, int | float | str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise CommandError(f"--param must be NAME=VALUE, was {text!r}")
        values[name.strip()] = number(value.strip())
    return values


def number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


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
        "assumptions": outcome.assumptions | {"seed": metrics["sampling"]["seed"]},
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
            told = f"— ({tests.missing[name]})"
        elif test.get("estimate", 0) is None:
            told = "no limit seen"
        else:
            told = pattern.format(**test)
        lines.append(f"  {name:<17} {told}")
    return "\n".join(lines)


def stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def summary(outcome: Outcome, label: str, values: Mapping[str, Any], given: Given) -> str:
    """What a person reads."""
    result, metrics = outcome.result, outcome.metrics

    def share(name: str) -> str:
        value = getattr(metrics, name)
        if value is None:
            return f"— ({metrics.missing[name]})"
        between = metrics.intervals.get(name)
        span = f"  (95 %: {between[0]:.2%} to {between[1]:.2%})" if between else ""
        return f"{value:.2%}{span}"

    def plain(name: str) -> str:
        value = getattr(metrics, name)
        if value is None:
            return f"— ({metrics.missing[name]})"
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
    if outcome.warnings:
        lines.append(f"  note              {', '.join(outcome.warnings)}")
    lines.append(f"  orders            {result.orders_hash}")
    if outcome.printed:
        lines += ["", "printed:", outcome.printed.rstrip()]
    return "\n".join(lines)
