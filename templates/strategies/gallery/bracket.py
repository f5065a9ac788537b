from clusterx_api import EventStrategy, Parameter


class Bracket(EventStrategy):
    """Called bar by bar: buys a dip with a limit order that has its own stop and target."""

    name = "bracket"
    label = "Dip with a bracket"
    summary = "A limit order below the close, with a stop loss and a take-profit of its own."
    parameters = (
        Parameter("dip", "Buy below the close by", "float", 1.0, minimum=0.1, maximum=20, step=0.1, help="%."),
        Parameter("risk", "Stop below the entry by", "float", 2.0, minimum=0.1, maximum=50, step=0.1, help="%."),
        Parameter("reward", "Target above the entry by", "float", 3.0, minimum=0.1, maximum=100, step=0.1, help="%."),
    )

    def history(self, p):
        return 2

    def on_bar(self, ctx):
        # Orders that are placed here work from the next bar on.
        p = ctx.p
        if ctx.position:
            return
        ctx.cancel_all()
        price = ctx.close * (1 - p.dip / 100)
        ctx.buy(
            0.95 * ctx.cash / price,
            limit=price,
            stop_loss=price * (1 - p.risk / 100),
            take_profit=price * (1 + p.reward / 100),
        )
