from django.apps import AppConfig


class MarketDataConfig(AppConfig):
    name = "marketdata"
    verbose_name = "Market data"

    def ready(self) -> None:
        from clusterx.wording import declare
        from marketdata import channels, live_indicators, receivers, wording
        from marketdata.services.markets import venue_names
        from marketdata.signals import bar_closed

        declare("venue", venue_names)
        declare(wording.CONTEXT, wording.texts)
        channels.register()
        live_indicators.register()
        bar_closed.connect(receivers.queue_detection, dispatch_uid="marketdata.queue_detection")
