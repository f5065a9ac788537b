"""Wires trading to the news it hears of and the channel it owns."""

from datetime import datetime

from django.apps import AppConfig

from clusterx.preparation import demo_step


def set_up_demo(at: datetime) -> None:
    """The demo person's account, trading on the fastest of the connected demo venues."""
    from clusterx.accounts.models import User
    from marketdata import selectors
    from trading.services.demo import ensure_demo

    person = User.objects.filter(email="demo@clusterx.example").first()
    if person is not None:
        connected = selectors.instruments(include_off=False).order_by("-venue__clock_rate", "id")
        ensure_demo(user=person, instruments=list(connected), at=at)


class TradingConfig(AppConfig):
    name = "trading"

    def ready(self) -> None:
        from clusterx.live import registry
        from clusterx.wording import declare
        from marketdata.signals import bar_closed
        from trading import channels, receivers, signals, wording

        bar_closed.connect(receivers.queue_evaluations, dispatch_uid="trading.queue_evaluations")
        signals.order_waiting.connect(receivers.queue_dispatch, dispatch_uid="trading.queue_dispatch")
        signals.test_waiting.connect(receivers.queue_test, dispatch_uid="trading.queue_test")
        signals.account_news.connect(receivers.publish_news, dispatch_uid="trading.publish_news")
        signals.bar_looked_at.connect(receivers.publish_look, dispatch_uid="trading.publish_look")
        signals.equity_marked.connect(receivers.publish_equity, dispatch_uid="trading.publish_equity")
        demo_step(50)(set_up_demo)
        declare(wording.CONTEXT, wording.texts)
        registry.register(
            "account",
            snapshot=channels.snapshot,
            authorise=channels.authorise,
        )
