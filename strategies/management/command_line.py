"""What the commands on strategies share: what they are asked, the bars and the strategy that are named, and how they answer."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from clusterx.errors import DomainError
from marketdata.bars import Bars
from marketdata.timeframes import TIMEFRAMES, Timeframe
from strategies import contract, library, warming
from strategies.arrays import bars_hash
from strategies.conditions import Conditions, read_costs, read_rules
from strategies.engine.model import Market
from strategies.errors import NoBars, Refused
from strategies.files import bars_from, calendar_of, length_of
from strategies.quality import adjusted, facts
from strategies.services.runs import MOST_SEED

SOON: Final = 3.0  # seconds: loading takes as long
PLAIN: Final = "sma-cross"  # any strategy has the engine compiled
SHORT: Final = {"smc": "smart-money", "sma": "sma-cross", "zscore": "zscore-reversion", "bollinger": "bollinger-reversion"}


@dataclass(frozen=True)
class Given:
    """What is simulated on: names, bars, and how each instrument is traded."""

    names: list[str]
    bars: list[Bars]
    markets: tuple[Market, ...]
    seconds: int
    calendar: str
    calendars: tuple[str, ...]  # of each: an exchange's, as quality.holes takes them
    kinds: tuple[str, ...]
    recorded: tuple[bool, ...]

    @property
    def data(self) -> list[dict[str, Any]]:
        """The lines of the assumption sheet on the bars."""
        return [
            {
                "instrument": name,
                "kind": kind,
                "first": stamp(int(bars.time[0])),
                "last": stamp(int(bars.time[-1])),
                "time_zone": "UTC",
                "recorded": recorded,
                "adjusted": adjusted(kind),
                **facts(bars, self.seconds, calendar),
                "sha256": bars_hash(bars),
            }
            for name, kind, recorded, bars, calendar in zip(
                self.names, self.kinds, self.recorded, self.bars, self.calendars, strict=True
            )
        ]


# -- what is asked ----------------------------------------------------------------------------------------------------


def add_subject(parser: ArgumentParser, names: Sequence[str]) -> None:
    """Which strategy, on which bars."""
    parser.add_argument("strategy", nargs="?", default="", help=f"one of {', '.join(names)}")
    parser.add_argument("--code", type=Path, help="a file with a strategy of your own; it runs in the sandbox")
    parser.add_argument("--instrument", action="append", default=[], help="as in binance:BTC-USDT; twice for a pair")
    parser.add_argument("--bars", action="append", default=[], type=Path, help="a CSV or Parquet file instead")
    parser.add_argument("--timeframe", help=f"one of {', '.join(TIMEFRAMES)}; of a file it is found out")
    parser.add_argument("--from", dest="start", type=moment, help="first bar, as in 2023-01-01 or 2023-01-01T12:00")
    parser.add_argument("--to", dest="end", type=moment, help="before this bar")


def add_values(parser: ArgumentParser) -> None:
    """Parameters that are each one value."""
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="of the strategy; repeat it")


def add_conditions(parser: ArgumentParser) -> None:
    """With which money, and what trading costs."""
    parser.add_argument("--cash", type=float, default=10_000.0)
    parser.add_argument("--fee", type=float, default=0.0, help="share of each fill's value: 0.001 is 0.1 %%")
    parser.add_argument("--slippage", type=float, default=0.0, help="share of price that market orders lose")
    parser.add_argument("--borrow", type=float, default=0.0, help="what is sold short costs this a year: 0.1 is 10 %%")
    parser.add_argument("--fill", choices=("next-open", "close"), default="next-open")
    parser.add_argument("--leverage", type=float, default=1.0)


def add_seed(parser: ArgumentParser, of: str) -> None:
    parser.add_argument("--seed", type=seed, default=1, help=of)


def seed(text: str) -> int:
    """A whole number from 0 on, as the generators take them."""
    number = int(text)
    if not 0 <= number <= MOST_SEED:
        raise ArgumentTypeError(f"must be a whole number from 0 to {MOST_SEED}, was {text}")
    return number


def add_json(parser: ArgumentParser) -> None:
    parser.add_argument("--json", metavar="OUT", help="write everything there; - for standard output")


def moment(text: str) -> datetime:
    """A date or a time of it, UTC where it says nothing else."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def conditions_in(options: Mapping[str, Any], given: Given, **others: Any) -> Conditions:
    return Conditions(
        cash=options["cash"],
        costs=read_costs({"fee": options["fee"], "slippage": options["slippage"], "borrow": options["borrow"]}),
        rules=read_rules({"fill": options["fill"], "leverage": options["leverage"]}),
        markets=given.markets,
        calendar=given.calendar,  # type: ignore[arg-type]
        **others,
    )


def bars_in(options: Mapping[str, Any]) -> Given:
    """The bars of the files or instruments that are named. Raises CommandError, NoBars, InvalidBars."""
    return from_files(options) if options["bars"] else from_database(options)


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
    names, calendars = [path.name for path in options["bars"]], tuple(calendar_of(bars) for bars in series)
    count = len(series)
    return Given(names, series, (Market(),) * count, seconds, calendars[0], calendars, ("",) * count, (False,) * count)


def between(bars: Bars, first: int, last: int) -> Bars:
    inside = (bars.time >= first) & (bars.time < last)
    if inside.all():
        return bars
    time, *prices = bars.columns
    return Bars(time[inside], *(column[inside] for column in prices))  # type: ignore[arg-type]


def from_database(options: Mapping[str, Any]) -> Given:
    from marketdata.models import Instrument, Venue
    from marketdata.store import BarStore

    if not options["instrument"]:
        raise CommandError("name an instrument (--instrument binance:BTC-USDT) or a file (--bars FILE)")
    timeframe = Timeframe.of(timeframe_in(options))
    series, markets, calendars, kinds, recorded = [], [], [], [], []
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
        calendars.append(found.calendar)
        kinds.append(found.kind)
        recorded.append(found.venue.mode == Venue.Mode.RECORDED)
    calendar = "crypto" if "24/7" in calendars else "exchange"
    return Given(
        list(options["instrument"]),
        series,
        tuple(markets),
        timeframe.seconds,
        calendar,
        tuple(calendars),
        tuple(kinds),
        tuple(recorded),
    )


def timeframe_in(options: Mapping[str, Any]) -> str:
    if options["timeframe"] not in TIMEFRAMES:
        raise CommandError(f"--timeframe must be one of {', '.join(TIMEFRAMES)}, was {options['timeframe']!r}")
    return str(options["timeframe"])


def named(name: str) -> contract.Declared:
    """``sma-cross``, also as ``SmaCross``, ``sma_cross`` and as it is called in short."""

    def plain(text: str) -> str:
        return text.lower().replace("-", "").replace("_", "").replace(" ", "")

    for strategy in library.CATALOGUE.values():
        if plain(SHORT.get(plain(name), name)) in {plain(strategy.name), plain(type(strategy).__name__)}:
            return strategy
    return library.find(name)


def parameters_in(texts: Sequence[str]) -> dict[str, int | float | str]:
    values: dict[str, int | float | str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise CommandError(f"--param must be NAME=VALUE, was {text!r}")
        if name.strip() in values:
            raise CommandError(f"--param {name.strip()} is given twice")
        values[name.strip()] = number(value.strip())
    return values


def number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def source_in(options: Mapping[str, Any]) -> str | None:
    """The text of the file that is named instead of a strategy of the library, or None."""
    if options["code"] is None:
        return None
    if options["strategy"]:
        raise CommandError("name a strategy or a file with one, not both")
    try:
        return str(options["code"].read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{options['code']} cannot be read: {error}") from None


# -- how they answer --------------------------------------------------------------------------------------------------


@contextmanager
def refusals() -> Iterator[None]:
    """What the rules refuse ends the command with one line that says why."""
    try:
        yield
    except Refused as error:
        line = f" (line {error.line})" if error.line else ""
        raise CommandError(f"{error.reason}: {error.message}{line}") from None
    except DomainError as error:
        raise CommandError(f"{error.code}: {error.message}") from None


def prepare_engine(command: BaseCommand, name: str) -> None:
    """Have the machine code of the engine and of a library strategy; say so where it has to be compiled first.

    ``name`` may be empty, for a file. Compiled code is loaded in a second or two, about which nothing is said.
    """
    if warming.is_compiled():
        return
    said = "Preparing the engine, once on this machine…"
    notice = Timer(SOON, command.stderr.write, [said], {"style_func": str})
    notice.daemon = True
    notice.start()
    try:
        warming.warm((named(name).name if name else PLAIN,))
    finally:
        notice.cancel()


def tell(command: BaseCommand, options: Mapping[str, Any], everything: Mapping[str, Any], summary: str) -> None:
    """Write ``everything`` as JSON where that was asked for, and print the summary unless the JSON is what is printed."""
    if options["json"]:
        text = json.dumps(everything, allow_nan=False)
        if options["json"] == "-":
            command.stdout.write(text)
            return
        try:
            Path(options["json"]).write_text(text + "\n")
        except OSError as error:
            raise CommandError(f"{options['json']} cannot be written: {error.strerror}") from None
    command.stdout.write(summary)


def stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
