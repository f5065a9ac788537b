"""SMA(20/100), long only, all in, 0.1 % fee, next open: the equity curve and the trades. Run by the peers' interpreter."""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import vectorbt as vbt

folder = Path(sys.argv[1])
opened, close = (np.load(folder / f"{name}.npy") for name in ("open", "close"))
index = pd.RangeIndex(len(close))
opened, close = pd.Series(opened, index), pd.Series(close, index)


def once() -> tuple[float, int]:
    fast, slow = vbt.MA.run(close, 20), vbt.MA.run(close, 100)
    entries, exits = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
    portfolio = vbt.Portfolio.from_signals(
        close,
        entries.vbt.fshift(1),
        exits.vbt.fshift(1),
        price=opened,
        fees=0.001,
        init_cash=10_000,
        size=np.inf,
    )
    value = portfolio.value()
    return float(value.iloc[-1]), len(portfolio.trades.records)


once()
seconds = []
for _ in range(7):
    started = time.perf_counter()
    final, trades = once()
    seconds.append(time.perf_counter() - started)
print(json.dumps({"seconds": statistics.median(seconds), "final": final, "trades": trades}))
