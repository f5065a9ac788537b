from clusterx_api import Parameter, Strategy, np, pd


class Breakout(Strategy):
    """Buys a new high and sells a new low; smaller positions in wilder markets."""

    name = "breakout"
    label = "Breakout, sized by volatility"
    summary = "Long above the highest high of a window, flat below the lowest low of a shorter one."
    parameters = (
        Parameter("enter", "Window of highs", "int", 55, minimum=5, maximum=400, step=5, help="Bars."),
        Parameter("leave", "Window of lows", "int", 20, minimum=3, maximum=200, step=1, help="Bars."),
        Parameter("target", "Volatility wanted", "float", 2.0, minimum=0.1, maximum=20, step=0.1, help="% a day."),
    )

    def history(self, p):
        return max(p.enter, p.leave, 100) + 400

    def signals(self, bars, p):
        close = pd.Series(bars.close)
        # shift(1): the window ends with the bar before, else a price would be compared with itself.
        highest = pd.Series(bars.high).rolling(p.enter).max().shift(1)
        lowest = pd.Series(bars.low).rolling(p.leave).min().shift(1)
        wanted = pd.Series(np.where(close > highest, 1.0, np.where(close < lowest, 0.0, np.nan))).ffill().fillna(0.0)
        bars_a_day = 86_400 / np.median(np.diff(bars.time)) if len(bars) > 1 else 1
        daily = close.pct_change().rolling(100).std() * np.sqrt(bars_a_day) * 100
        size = (p.target / daily).clip(upper=1.0).fillna(0.0)
        return (wanted * size).to_numpy()
