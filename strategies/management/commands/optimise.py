"""``manage.py optimise STRATEGY --bars FILE --param fast=5:50:5 --param slow=60:300:20 --where "fast < slow" --json OUT``"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from strategies import contract, library
from strategies.backtest import Decide, library_decision
from strategies.errors import InvalidBars, Refused
from strategies.management.command_line import (
    Given,
    add_conditions,
    add_json,
    add_seed,
    add_subject,
    bars_in,
    conditions_in,
    named,
    number,
    prepare_engine,
    refusals,
    source_in,
    stamp,
    tell,
)
from strategies.robustness.search import Search, Stopping
from strategies.robustness.space import Space, space_of
from strategies.services import subjects
from strategies.services.inspections import declared_in
from strategies.services.tuning import OBJECTIVES, Ground, every, search_of, searchable, shown, surroundings


def add_common(parser: ArgumentParser) -> None:
    """What both searches take."""
    add_subject(parser, list(library.LIBRARY))
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=RANGE", help="5:50:5, 5:50, a,b,c, or a single value to hold"
    )
    parser.add_argument("--where", action="append", default=[], metavar="RULE", help='as in "fast < slow"; repeat it')
    parser.add_argument("--search", choices=("grid", "random", "bayesian"), default="grid")
    parser.add_argument("--trials", type=int, default=1000, help="at most; a larger grid is refused")
    parser.add_argument("--objective", choices=OBJECTIVES, default="sharpe")
    parser.add_argument("--patience", type=int, help="stop after so many trials without a better one")
    parser.add_argument("--tried", type=int, default=0, help="trials you made on this strategy before: they count as evidence")
    add_conditions(parser)
    add_seed(parser, "of random and Bayesian search")
    add_json(parser)


class Command(BaseCommand):
    help = "Searches the parameters of a strategy over stored bars or a file. Nothing is stored."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_common(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with refusals():
            tell(self, options, *optimised(self, options))


def optimised(command: BaseCommand, options: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """All of it, and what a person reads."""
    given, ground, space = prepared(options)
    prepare_engine(command, options["strategy"])
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
    lines = [
        f"{answer['strategy']} on {given.names[0]}: {len(search.trials):,} trials over {len(ground.bars):,} bars"
        f" in {seconds:.2f} s",
        "  best              " + values_in(best["values"]),
        f"  {options['objective']:<17} {best['score']:.3f}",
        f"  final equity      {best['final_equity']:,.2f} (largest drawdown {best['max_drawdown']:.2%})",
        "  neighbours keep   " + ("—" if held is None else f"{held:.0%} of its score"),
        *evidence_in(shows),
    ]
    return answer, "\n".join(lines)


def prepared(options: Mapping[str, Any]) -> tuple[Given, Ground, Space]:
    """Bars, what trials share, and what is searched."""
    given = bars_in(options)
    if len(given.bars) != 1:
        raise InvalidBars(f"a search needs one instrument, was given {len(given.bars)}", field="instrument")
    conditions = conditions_in(options, given, benchmark="none")
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
    source = source_in(options)
    if source is None:
        strategy = named(options["strategy"])
        searchable(strategy)
        return strategy, None
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
        if name.strip() in ranges:
            raise CommandError(f"--param {name.strip()} is given twice")
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
