"""Owns the registry entries of smart-money concepts."""

from marketdata.indicators import structure, zones
from marketdata.indicators.catalogue.parts import bars, factor, named
from marketdata.indicators.definitions import Indicator, Output, Params
from marketdata.indicators.signals import Event, Mark

_STRENGTH = bars("strength", "Swing strength", 5, 1, 50)
_MEMORY = bars("memory", "Memory, bars", 500, 50, 5000)
_FILL = factor("fill", "Mitigated when filled", 1.0, 0.0, 1.0, 0.25)
_LEVELS = (
    Output("up_top", "Support zone top", "zones", tone="positive"),
    Output("up_bottom", "Support zone bottom", "zones", tone="positive"),
    Output("down_top", "Resistance zone top", "zones", tone="negative"),
    Output("down_bottom", "Resistance zone bottom", "zones", tone="negative"),
    Output("formed", "Zone formed", "hidden", "code"),
)


def _structure_history(params: Params, _: int) -> int:
    # A trend rests on a break within memory, and that on a swing within memory of it.
    return 2 * (params["memory"] + params["strength"]) + 2


SMART_MONEY = (
    Indicator(
        name="structure",
        label="Market structure",
        group="Smart money",
        inputs=("high", "low", "close"),
        parameters=(_STRENGTH, _MEMORY),
        outputs=(
            Output("high", "Swing high", tone="positive"),
            Output("low", "Swing low", tone="negative"),
            Output("trend", "Trend", "hidden", "code"),
            Output("event", "Break (1) or change of character (2)", "markers", "code"),
            Output("high_age", "Bars since the swing high", "hidden", "bars"),
            Output("low_age", "Bars since the swing low", "hidden", "bars"),
            Output("broken_age", "Bars since the swing that broke", "hidden", "bars"),
        ),
        pane="price",
        source="Ours; rule on this page",
        summary=(
            "Swing highs and lows, known only once confirmed; a close beyond the last unbroken one is a break of "
            "structure, against the trend a change of character."
        ),
        memory="window",
        bars_needed=_structure_history,
        compute=lambda b, p: structure.structure(b.high, b.low, b.close, p["strength"], p["memory"])._asdict(),
        signals=(
            Event("event", 1, "Break of structure upward", "Break of structure downward", "bos"),
            Event("event", 2, "Change of character upward", "Change of character downward", "choch"),
        ),
    ),
    Indicator(
        name="order_blocks",
        label="Order blocks",
        group="Smart money",
        inputs=("high", "low", "close"),
        parameters=(_STRENGTH, _FILL, _MEMORY),
        outputs=_LEVELS,
        pane="price",
        source="Ours; rule on this page",
        summary=(
            "The bar with the extreme between a broken swing and its break, from low to high, until price has traded "
            "back through the set share of it. The lines hold the nearest open one."
        ),
        memory="window",
        bars_needed=_structure_history,
        compute=lambda b, p: zones.order_blocks(b.high, b.low, b.close, p["strength"], p["fill"], p["memory"])._asdict(),
        signals=(Event("formed", 1, "Order block for longs", "Order block for shorts", "order_block"),),
        zones=lambda b, p: zones.order_block_zones(b.high, b.low, b.close, p["strength"], p["fill"], p["memory"]),
    ),
    Indicator(
        name="fair_value_gaps",
        label="Fair value gaps",
        group="Smart money",
        inputs=("high", "low", "close"),
        parameters=(factor("smallest", "Smallest gap, %", 0.0, 0.0, 10.0, 0.05), _FILL, _MEMORY),
        outputs=_LEVELS,
        pane="price",
        source="Ours; rule on this page",
        summary=(
            "Gaps that three bars leave between the first and the third, until price has traded back through the set "
            "share of them. The lines hold the nearest open one."
        ),
        memory="window",
        bars_needed=lambda p, _: p["memory"] + 3,
        compute=lambda b, p: zones.fair_value_gaps(b.high, b.low, b.close, p["smallest"], p["fill"], p["memory"])._asdict(),
        signals=(Event("formed", 1, "Fair value gap for longs", "Fair value gap for shorts", "fair_value_gap"),),
        zones=lambda b, p: zones.fair_value_gap_zones(b.high, b.low, b.close, p["smallest"], p["fill"], p["memory"]),
    ),
    Indicator(
        name="liquidity_sweeps",
        label="Liquidity sweeps",
        group="Smart money",
        inputs=("high", "low", "close"),
        parameters=(_STRENGTH, _MEMORY),
        outputs=(
            Output("swept_high", "Swept high", "markers", tone="negative"),
            Output("swept_low", "Swept low", "markers", tone="positive"),
            Output("next_high", "Liquidity above", tone="negative"),
            Output("next_low", "Liquidity below", tone="positive"),
        ),
        pane="price",
        source="Ours; rule on this page",
        summary=(
            "Bars that trade beyond an untouched swing and close back inside, and the nearest swings that are still untouched."
        ),
        memory="window",
        bars_needed=lambda p, _: p["memory"] + 2 * p["strength"] + 2,
        compute=lambda b, p: named(
            ("swept_high", "swept_low", "next_high", "next_low"),
            structure.liquidity_sweeps(b.high, b.low, b.close, p["strength"], p["memory"]),
        ),
        signals=(
            Mark("swept_high", "down", "Liquidity above a swing high swept", "sweep"),
            Mark("swept_low", "up", "Liquidity below a swing low swept", "sweep"),
        ),
    ),
)
