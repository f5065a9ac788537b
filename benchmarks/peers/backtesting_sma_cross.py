"""The SmaCross example of backtesting.py on its GOOG bars. Run by the peers' interpreter."""

import json
import statistics
import time
import warnings

warnings.simplefilter("ignore")
import pandas as pd  # noqa: E402
from backtesting import Backtest, Strategy  # noqa: E402
from backtesting.lib import crossover  # noqa: E402
from backtesting.test import GOOG  # noqa: E402


def sma(values: object, n: int) -> object:
    return pd.Series(values).rolling(n).mean()


class SmaCross(Strategy):
    def init(self) -> None:
        self.fast = self.I(sma, self.data.Close, 10)
        self.slow = self.I(sma, self.data.Close, 20)

    def next(self) -> None:
        if crossover(self.fast, self.slow):
            self.buy()
        elif crossover(self.slow, self.fast):
            self.sell()


seconds = []
for _ in range(3):
    test = Backtest(GOOG, SmaCross, cash=10_000, commission=0.002, trade_on_close=False, exclusive_orders=True)
    started = time.perf_counter()
    stats = test.run()
    seconds.append(time.perf_counter() - started)
trades = stats["_trades"]
print(
    json.dumps(
        {
            "seconds": statistics.median(seconds),
            "final": float(stats["Equity Final [$]"]),
            "equity": [float(value) for value in stats["_equity_curve"]["Equity"]],
            "trades": [
                [int(row.EntryBar), int(row.ExitBar), int(row.Size), float(row.EntryPrice), float(row.ExitPrice)]
                for row in trades.itertuples()
            ],
            "time": [int(moment.timestamp()) for moment in GOOG.index],
            "bars": GOOG[["Open", "High", "Low", "Close", "Volume"]].astype(float).values.tolist(),
        }
    )
)
