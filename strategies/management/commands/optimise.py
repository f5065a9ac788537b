"""``manage.py optimise STRATEGY --bars FILE --param fast=5:50:5 --param slow=60:300:20 --where "fast < slow" --json OUT``"""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from clusterx.errors import DomainError
from marketdata.timeframes import TIMEFRAMES
from strategies import contract, library
from strategies.backtest import Decide, library_decision
from strategies.conditions import Conditions, read_costs, read_rules
from strategies.errors import InvalidBars, Refused
from strategies.management.commands.backtest import Given, from_database, from_files, moment, named, number, stamp
from strategies.robustness.search import Search, Stopping
from strategies.robustness.space import Space, space_of
from strategies.services import subjects
from strategies.services.inspections import declared_in
from strategies.services.tuning import OBJECTIVES, Ground, every, search_of, searchable, shown, surroundings


def add_common(parser: ArgumentParser) -> None:
    """What both searches take."""
    parser.add_argument("strategy", nargs="?", default="", help=f"one of {', '.join(library.LIBRARY)}")
    parser.add_argument("--code", type=Path, help="a file with a strategy of your own; it runs in the sandbox")
    parser.add_argument("--instrument", action="append", default=[], help="as in binance:BTC-USDT")
    parser.add_argument("--bars", action="append", default=[], type=Path, help="a CSV or Parquet file instead")
    parser.add_argument("--timeframe", help=f"one of {', '.join(TIMEFRAMES)}; of a file it is found out")
    parser.add_argument("--from", dest="start", type=moment, help="first bar, as in 2023-01-01 or 2023-01-01T12:00")
    parser.add_argument("--to", dest="end", type=moment, help="before this bar")
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=RANGE", help="5:50:5, 5:50, a,b,c, or a single value to hold"
    )
    parser.add_argument("--where", action="append", default=[], metavar="RULE", help='as in "fast < slow"; repeat it')
    parser.add_argument("--search", choices=("grid", "random", "bayesian"), default="grid")
    parser.add_argument("--trials", type=int, default=1000, help="at most; a larger grid is refused")
    parser.add_argument("--objective", choices=OBJECTIVES, default="sharpe")
    parser.add_argument("--patience", type=int, help="stop after so many trials without a better one")
    parser.add_argument("--tried", type=int, default=0, help="trials you made on this strategy before: they count as evidence")
    parser.add_argument("--cash", type=float, default=10_000.0)
    parser.add_argument("--fee", type=float, default=0.0, help="share of each fill's value: 0.001 is 0.1 %%")
    parser.add_argument("--slippage", type=float, default=0.0, help="share of price that market orders lose")
    parser.add_argument("--fill", choices=("next-open", "close"), default="next-open")
    parser.add_argument("--leverage", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1, help="of random and Bayesian search")
    parser.add_argument("--json", metavar="OUT", help="write everything there; - for standard output")


class Command(BaseCommand):
    help = "Searches the parameters of a strategy over stored bars or a file. Nothing is stored."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_common(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        told(self, options, optimised)


def told(command: BaseCommand, options: Mapping[str, Any], make: Any) -> None:
    """Do it and say it, or why not."""
    try:
        answer = make(options)
    except Refused as error:
        line = f" (line {error.line})" if error.line else ""
        raise CommandError(f"{error.reason}: {error.message}{line}") from None
    except DomainError as error:
        raise CommandError(f"{error.code}: {error.message}") from None
    lines = answer.pop("summary")
    if options["json"]:
        text = json.dumps(answer, allow_nan=False)
        if options["json"] == "-":
            command.stdout.write(text)
            return
        try:
            Path(options["json"]).write_text(text + "\n")
        except OSError as error:
            raise CommandError(f"{options['json']} cannot be written: {error.strerror}") from None
    command.stdout.write("\n".join(lines))


def optimised(options: Mapping[str, Any]) -> dict[str, Any]:
    given, ground, space = prepared(options)
    search = searched(options, space)
    began = time.perf_counter()
    trials, failure = every(ground, search)
    seconds = time.perf_counter() - began
    if not trials.points:
        raise failure or Refused("no trial came to a result", reason="no-result")
    best = trials.described(trials.best)
    shows = shown(trials.returns[trials.best], options["tried"] + len(search.trials), trials.returns)
    around = surroundings(space, trials)
    answer = {
        **about(given, ground, options),
        "search": options["search"],
        "space": space.to_json(),
        "trials": len(search.trials),
        "failed": len(search.trials) - len(trials.points),
        "stopped": search.stopped,
        "best": best,
        "evidence": shows,
        **around,
        "results": [trials.described(place) for place in range(len(trials.points))],
        "seconds": round(seconds, 6),
    }
    held = around["stability"]["kept"]
    answer["summary"] = [
        f"{answer['strategy']} on {given.names[0]}: {len(search.trials):,} trials over {len(ground.bars):,} bars"
        f" in {seconds:.2f} s",
        "  best              " + values_in(best["values"]),
        f"  {options['objective']:<17} {best['score']:.3f}",
        f"  final equity      {best['final_equity']:,.2f} (largest drawdown {best['max_drawdown']:.2%})",
        "  neighbours keep   " + ("—" if held is None else f"{held:.0%} of its score"),
        *evidence_in(shows),
    ]
    return answer


def prepared(options: Mapping[str, Any]) -> tuple[Given, Ground, Space]:
    """Bars, what trials share, and what is searched."""
    given = from_files(options) if options["bars"] else from_database(options)
    if len(given.bars) != 1:
        raise InvalidBars(f"a search needs one instrument, was given {len(given.bars)}", field="instrument")
    conditions = Conditions(
        cash=options["cash"],
        costs=read_costs({"fee": options["fee"], "slippage": options["slippage"]}),
        rules=read_rules({"fill": options["fill"], "leverage": options["leverage"]}),
        markets=given.markets,
        benchmark="none",
        calendar=given.calendar,  # type: ignore[arg-type]
    )
    declared, source = subject_in(options)
    space = space_of(declared, ranges_in(options["param"]), options["where"])

    def decide(point: Mapping[str, Any]) -> Decide:
        accepted = contract.validate(declared, point)
        if source is not None:
            return subjects.sandboxed(source, dict(accepted), style="Strategy")
        return library_decision(declared, accepted)

    return given, Ground(given.bars[0], conditions, decide, options["objective"]), space


def subject_in(options: Mapping[str, Any]) -> tuple[contract.Declared, str | None]:
    """What is declared, and the source where it is a user's. Raises InvalidSpace unless it can be searched."""
    if options["code"] is None:
        strategy = named(options["strategy"])
        searchable(strategy)
        return strategy, None
    if options["strategy"]:
        raise CommandError("name a strategy or a file with one, not both")
    try:
        source = options["code"].read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{options['code']} cannot be read: {error}") from None
    declaration = declared_in(source)
    declared = subjects.FromDeclaration(declaration)
    searchable(declared, declaration["style"])
    return declared, source


def searched(options: Mapping[str, Any], space: Space) -> Search:
    return search_of(
        space,
        options["search"],
        trials=options["trials"],
        seed=options["seed"],
        stopping=Stopping(patience=options["patience"]),
    )


def ranges_in(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``fast=5:50:5`` is from 5 to 50 in steps of 5, ``kind=a,b`` one of two words, ``fast=20`` held."""
    ranges: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        bounds = [number(one.strip()) for one in value.split(":")]
        if not equals or not name or not value or len(bounds) > 3:
            raise CommandError(f"--param must be NAME=FROM:TO:STEP, NAME=A,B or NAME=VALUE, was {text!r}")
        if len(bounds) > 1:
            if any(isinstance(one, str) for one in bounds):
                raise CommandError(f"--param {name} must range over numbers, was {value!r}")
            ranges[name.strip()] = dict(zip(("minimum", "maximum", "step"), bounds, strict=False))
        elif "," in value:
            ranges[name.strip()] = {"choices": tuple(one.strip() for one in value.split(","))}
        else:
            ranges[name.strip()] = {"value": bounds[0]}
    return ranges


def about(given: Given, ground: Ground, options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "strategy": subject_in(options)[0].label,
        "instruments": given.names,
        "bars": len(ground.bars),
        "from": stamp(int(ground.bars.time[0])),
        "to": stamp(int(ground.bars.time[-1])),
        "objective": ground.objective,
        "seed": options["seed"],
        "conditions": ground.conditions.to_json(),
    }


def values_in(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def evidence_in(shows: Mapping[str, Any]) -> list[str]:
    """What a person reads of the evidence."""
    lines = []
    if shows["badge"] is not None:
        lines.append(f"  evidence          {shows['badge']} after {shows['trials']:,} trials")
        lines.append(f"  better than 0     {shows['probabilistic']:.1%} (deflated by the trials {shows['deflated']:.1%})")
    else:
        lines.append(f"  evidence          — ({shows['missing']['badge']})")
    if shows["pbo"] is not None:
        lines.append(f"  overfitting       {shows['pbo']:.1%} probable")
    return lines
