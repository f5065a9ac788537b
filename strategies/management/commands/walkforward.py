"""``manage.py walkforward STRATEGY --bars FILE --param fast=5:50:5 --windows 6 --mode rolling --json OUT``"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand

from strategies.errors import Refused
from strategies.management.command_line import prepare_engine, refusals, stamp, tell
from strategies.management.commands.optimise import (
    about,
    add_common,
    evidence_in,
    prepared,
    searched,
    values_in,
)
from strategies.services.tuning import every, shown
from strategies.services.walking import Chosen, Plan, walked


class Command(BaseCommand):
    help = "Tunes a strategy in windows and judges each winner on the bars after it. Nothing is stored."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_common(parser)
        parser.add_argument("--windows", type=int, default=5)
        parser.add_argument("--mode", choices=("rolling", "anchored"), default="rolling")
        parser.add_argument("--test-share", type=float, default=0.25, help="of the bars that a window covers")
        parser.add_argument("--embargo", type=int, default=0, help="bars before each test that nobody uses")

    def handle(self, *args: Any, **options: Any) -> None:
        with refusals():
            tell(self, options, *walked_forward(self, options))


def walked_forward(command: BaseCommand, options: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """All of it, and what a person reads."""
    given, ground, space = prepared(options)
    plan = Plan(options["mode"], options["windows"], options["test_share"], options["embargo"])
    windows = plan.over(len(ground.bars))
    prepare_engine(command, options["strategy"])
    began, made, chosen = time.perf_counter(), 0, []
    for place, window in enumerate(windows):
        search = searched(options, space)
        trials, failure = every(ground, search, window.train_start, window.train_stop)
        if not trials.points:
            raise failure or Refused(f"no trial of window {place + 1} came to a result", reason="no-result")
        best = trials.best
        growth = float(trials.final[best]) / ground.conditions.cash
        chosen.append(Chosen(trials.points[best], float(trials.score[best]), growth))
        made += len(search.trials)
    walk = walked(ground, space, windows, chosen)
    shows = shown(walk.returns, options["tried"] + made)
    seconds = time.perf_counter() - began
    final = float(walk.stitched.equity[-1])
    answer = {
        **about(given, ground, options),
        "search": options["search"],
        "space": space.to_json(),
        "plan": plan.to_json(),
        "trials": made,
        "windows": walk.windows,
        "final_equity": final,
        "efficiency": walk.efficiency,
        "drift": walk.drift,
        "evidence": shows,
        "equity": {
            "time": ground.bars.time[walk.stitched.bar].tolist(),
            "equity": walk.stitched.equity.tolist(),
            "starts": walk.stitched.starts.tolist(),
        },
        "seconds": round(seconds, 6),
    }
    lines = [
        f"{answer['strategy']} on {given.names[0]}: {len(windows)} {plan.mode} windows, {made:,} trials in {seconds:.2f} s",
        *(
            f"  {stamp(line['test_from'])[:10]} – {stamp(line['test_to'])[:10]}  in {line['train_return']:+.2%}"
            f"  out {line['test_return']:+.2%}  {values_in(line['values'])}"
            for line in walk.windows
        ),
        f"  out of sample     {final:,.2f} ({final / ground.conditions.cash - 1:+.2%})",
        "  efficiency        " + ("— (no profit in training)" if walk.efficiency is None else f"{walk.efficiency:.2f}"),
        *evidence_in(shows),
    ]
    return answer, "\n".join(lines)
