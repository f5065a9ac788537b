from clusterx_api import Parameter, PortfolioStrategy, np, pd


class Pairs(PortfolioStrategy):
    """Two instruments on one account: buys the one that lags, sells the one that leads."""

    name = "pairs"
    label = "Two that belong together"
    summary = "Trades the gap between two prices when it is unusually wide, until it has closed."
    legs = 2
    parameters = (
        Parameter("window", "Window", "int", 100, minimum=20, maximum=1000, step=10, help="Bars."),
        Parameter("wide", "Enter beyond", "float", 2.0, minimum=0.5, maximum=5, step=0.1, help="Standard deviations."),
    )

    def history(self, p):
        return p.window * 2

    def signals(self, panel, p):
        first, second = (pd.Series(np.log(one.close)) for one in panel.bars)
        gap = first - second
        score = (gap - gap.rolling(p.window).mean()) / gap.rolling(p.window).std()
        side = pd.Series(np.nan, index=gap.index)
        side[score > p.wide] = -1.0
        side[score < -p.wide] = 1.0
        side[(score * score.shift(1)) < 0] = 0.0
        side = side.ffill().fillna(0.0).to_numpy()
        return np.column_stack([0.5 * side, -0.5 * side])
