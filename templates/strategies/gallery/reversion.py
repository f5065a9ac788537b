from clusterx_api import Parameter, Strategy, indicators, np


class Reversion(Strategy):
    """Buys what fell too far too fast, and leaves when it has come back."""

    name = "reversion"
    label = "Return to the middle"
    summary = "Long from an oversold RSI until it is back in the middle."
    parameters = (
        Parameter("window", "RSI window", "int", 14, minimum=2, maximum=100, step=1, help="Bars."),
        Parameter("low", "Buy below", "float", 30, minimum=5, maximum=50, step=1),
        Parameter("high", "Leave above", "float", 55, minimum=40, maximum=95, step=1),
    )

    def history(self, p):
        return p.window * 40

    def signals(self, bars, p):
        rsi = indicators.rsi(bars.close, p.window)
        exposure = np.zeros(len(bars))
        held = 0.0
        for i in range(len(bars)):
            if rsi[i] < p.low:
                held = 1.0
            elif rsi[i] > p.high:
                held = 0.0
            exposure[i] = held
        return exposure
