"""Wires trading to the news it hears of and the channel it owns."""

from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "trading"

    def ready(self) -> None:
        from clusterx.live import registry
        from marketdata.signals import bar_closed
        from trading import channels, receivers, signals

        bar_closed.connect(receivers.queue_evaluations, dispatch_uid="trading.queue_evaluations")
        signals.order_waiting.connect(receivers.queue_order, dispatch_uid="trading.queue_order")
        signals.account_news.connect(receivers.publish_news, dispatch_uid="trading.publish_news")
        signals.equity_marked.connect(receivers.publish_equity, dispatch_uid="trading.publish_equity")
        registry.register(
            "account",
            snapshot=channels.snapshot,
            authorise=channels.authorise,
        )
