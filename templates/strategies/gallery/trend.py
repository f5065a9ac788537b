from clusterx_api import Parameter, Signals, Strategy, indicators, np


class Trend(Strategy):
    """Rides a trend and leaves it by a stop that follows the price."""

    name = "trend"
    label = "Trend with a stop"
    summary = "Long while the fast average is above the slow one, with a stop some ranges below the close."
    parameters = (
        Parameter("fast", "Fast average", "int", 20, minimum=2, maximum=200, step=1, help="Bars."),
        Parameter("slow", "Slow average", "int", 60, minimum=3, maximum=400, step=1, help="Bars."),
        Parameter("distance", "Stop distance", "float", 3.0, minimum=0.5, maximum=10, step=0.5, help="Average true ranges."),
    )

    def history(self, p):
        # How many closed bars the newest answer needs. The average true range takes part of every bar before it into the
        # next, and has forgotten one only after some twenty times its length.
        return max(p.slow, 14 * 21)

    def signals(self, bars, p):
        # One number for each bar: 1 is wholly long, 0 is flat, -1 is wholly short.
        fast, slow = indicators.sma(bars.close, p.fast), indicators.sma(bars.close, p.slow)
        exposure = np.where(fast > slow, 1.0, 0.0)
        stop = bars.close - p.distance * indicators.atr(bars.high, bars.low, bars.close, 14)
        return Signals(exposure, stop=np.where(stop > 0, stop, np.nan))
