"""Wires strategies to the news it hears of and the channel it owns."""

from django.apps import AppConfig


class StrategiesConfig(AppConfig):
    name = "strategies"

    def ready(self) -> None:
        from clusterx.live import registry
        from strategies import channels, receivers, signals

        signals.version_saved.connect(receivers.queue_inspection, dispatch_uid="strategies.queue_inspection")
        signals.run_queued.connect(receivers.queue_run, dispatch_uid="strategies.queue_run")
        signals.run_changed.connect(receivers.publish_run, dispatch_uid="strategies.publish_run")
        registry.register("runs", snapshot=channels.snapshot, authorise=channels.authorise)
