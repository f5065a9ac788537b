"""Indicators over stored bars: for the API, for the stream, and the signals they detect on closed bars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import numpy as np

from clusterx.errors import DomainError
from clusterx.live.publish import publish
from marketdata import wording
from marketdata.bars import Bars
from marketdata.indicators import registry
from marketdata.indicators.registry import IndicatorError, Spec
from marketdata.models import Instrument, Signal
from marketdata.store import BarStore
from marketdata.timeframes import Timeframe

# A month of minutes is the longest that any indicator declares, at any parameter (a test holds it). Only what needs the
# whole series can need more; its answer says ``complete: false`` then.
MOST_HISTORY = 50_000
# What is looked for on every instrument, watched or not: the chart's markers and the signal lists.
DETECTED = ("macd(12,26,9)", "supertrend", "trend_start", "structure")


class UnknownIndicator(DomainError):
    code: ClassVar[str] = "invalid"


def parse(text: str) -> Spec:
    """Raises UnknownIndicator, saying what was expected."""
    try:
        return registry.parse_spec(text)
    except IndicatorError as error:
        raise UnknownIndicator(str(error), field="spec") from None


def described() -> list[dict[str, Any]]:
    """The registry, with labels in the language of the moment."""
    return registry.describe(translate=wording.said)


def needed(spec: Spec, timeframe: Timeframe) -> int:
    """Bars before the first one that is shown, so that its value is what the whole series gives to 1e-9."""
    history = registry.history(spec, timeframe.seconds)
    return MOST_HISTORY if history is None else min(history, MOST_HISTORY)


def over(instrument: Instrument, timeframe: Timeframe, bars: Bars, specs: Sequence[Spec]) -> list[dict[str, Any]]:
    """Values of each indicator at ``bars``, computed with the history before them. Shape as in docs/api.md."""
    if not len(bars):
        return [_described(spec, {}, (), bars, complete=True) for spec in specs]
    wanted = {spec: needed(spec, timeframe) for spec in specs}
    before = max(wanted.values())
    past = BarStore().read(instrument.pk, timeframe.name, end=int(bars.time[0]), limit=before)
    whole = Bars(*(np.concatenate(pair) for pair in zip(past.columns, bars.columns, strict=True)))
    count = len(bars)
    answers = []
    for spec in specs:
        # Each over what it needs itself: a month of minutes for one of them is no reason to compute all over it.
        part = whole.tail(wanted[spec] + count)
        values = {name: line[-count:] for name, line in registry.compute(spec, part).items()}
        complete = registry.history(spec, timeframe.seconds) is not None or len(past) < before
        answers.append(_described(spec, values, registry.zones(spec, part), part, complete=complete))
    return answers


def label(spec: Spec) -> str:
    values = " ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in spec.params.values())
    return f"{registry.get(spec.name).label} {values}".strip()


def _described(spec: Spec, values: dict[str, Any], zones: Sequence[Any], bars: Bars, *, complete: bool) -> dict[str, Any]:
    """One indicator's answer. ``complete`` is False where the series is longer than what its values were computed from."""
    entry = registry.get(spec.name)
    return {
        "spec": str(spec),
        "name": spec.name,
        "label": label(spec),
        "pane": entry.pane,
        "levels": entry.levels,
        "complete": complete,
        "has_zones": entry.zones is not None,
        "outputs": [
            {
                "name": output.name, "label": output.label, "style": output.style, "tone": output.tone,
                "unit": output.unit, "pane": output.pane or entry.pane,
                "shift": int(spec.params[output.shift]) if output.shift else 0, "values": values.get(output.name, []),
            }
            for output in entry.outputs
        ],
        "zones": [
            {
                "kind": zone.kind, "direction": zone.direction, "start": int(bars.time[zone.start]),
                "end": None if zone.end is None else int(bars.time[zone.end]), "top": zone.top, "bottom": zone.bottom,
                "outcome": zone.outcome,
            }
            for zone in list(zones)[-60:]
        ],
    }  # fmt: skip


def detect_signals(*, instrument_id: int, timeframe: str, time: int) -> list[Signal]:
    """Store and publish what the watched-for indicators say on the bar that opened at ``time``.

    Detecting twice stores once: the second call finds the rows and publishes nothing.
    """
    length = Timeframe.of(timeframe)
    specs = [registry.parse_spec(text) for text in DETECTED]
    depth = max(needed(spec, length) for spec in specs) + 2
    bars = BarStore().read(instrument_id, timeframe, end=time + 1, limit=depth)
    if not len(bars) or int(bars.time[-1]) != time:
        return []
    ref = Instrument.objects.values_list("ref", flat=True).get(pk=instrument_id)
    last = len(bars) - 1
    stored = []
    for spec in specs:
        for found in registry.detect(spec, bars.tail(needed(spec, length) + 2)):
            if found.index != min(len(bars), needed(spec, length) + 2) - 1:
                continue
            signal, made = Signal.objects.get_or_create(
                instrument_id=instrument_id,
                timeframe=timeframe,
                time=datetime.fromtimestamp(time, UTC),
                indicator=str(spec),
                kind=found.kind,
                defaults={"direction": found.direction, "label": found.label, "price": float(bars.close[last])},
            )
            if made:
                stored.append(signal)
    for signal in stored:
        publish(
            f"signals/{ref}/{timeframe}",
            {
                "id": signal.pk, "time": time, "indicator": signal.indicator, "kind": signal.kind,
                "direction": signal.direction, "label": signal.label, "price": signal.price,
            },
            seq=signal.pk,
            keep=False,
        )  # fmt: skip
    return stored
