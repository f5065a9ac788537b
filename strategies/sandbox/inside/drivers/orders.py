"""One bar in, the orders of an event-driven strategy out, for as long as the host keeps the session.

The history is gone through first, so that the strategy and its account are where they were when it last stood at its end.
"""

from typing import Any

import numpy as np

from marketdata.bars import Bars
from strategies import contract
from strategies.contract import EventStrategy
from strategies.sandbox.inside import wire
from strategies.sandbox.inside.drivers.events import account
from strategies.sandbox.inside.growing import Growing


def drive(job: Any, strategy: Any, parameters: Any) -> tuple[dict[str, Any], dict[str, wire.Array]]:
    if not isinstance(strategy, EventStrategy):
        raise contract.InvalidSignals("only an event-driven strategy answers with orders")
    past = job.bars if job.bars is not None else Bars.empty()
    growing, read = Growing(strategy, past, parameters, account(job)), memoryview(bytearray(wire.BAR.size))
    while True:
        wire.write(job.result, wire.encode({"kind": "orders"}, {"intents": np.ravel(growing.decided())}))
        if not wire.read_exactly(job.input, read):
            return {"end": True}, {}
        growing.add(wire.BAR.unpack(read))
