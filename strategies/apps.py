"""Wires strategies to the news it hears of and the channel it owns."""

from django.apps import AppConfig


class StrategiesConfig(AppConfig):
    name = "strategies"

    def ready(self) -> None:
        from celery.signals import celeryd_after_setup

        from clusterx.live import registry
        from clusterx.wording import declare
        from clusterx.work import register
        from strategies import channels, proof_wording, receivers, signals, wording, work

        signals.version_saved.connect(receivers.queue_inspection, dispatch_uid="strategies.queue_inspection")
        signals.version_changed.connect(receivers.publish_version, dispatch_uid="strategies.publish_version")
        signals.run_queued.connect(receivers.queue_run, dispatch_uid="strategies.queue_run")
        signals.run_done.connect(receivers.queue_appraisal, dispatch_uid="strategies.queue_appraisal")
        signals.run_changed.connect(receivers.publish_run, dispatch_uid="strategies.publish_run")
        celeryd_after_setup.connect(receivers.prepare_worker, dispatch_uid="strategies.prepare_worker")
        declare(wording.CONTEXT, wording.texts)
        declare(proof_wording.CONTEXT, proof_wording.texts)
        signals.study_queued.connect(receivers.queue_study, dispatch_uid="strategies.queue_study")
        signals.chunk_queued.connect(receivers.queue_chunk, dispatch_uid="strategies.queue_chunk")
        signals.study_changed.connect(receivers.publish_study, dispatch_uid="strategies.publish_study")
        registry.register("studies", snapshot=channels.study_snapshot, authorise=channels.authorise_study)
        registry.register("versions", snapshot=channels.version_snapshot, authorise=channels.authorise_version)
        registry.register("runs", snapshot=channels.snapshot, authorise=channels.authorise)
        register("runs", work.runs)
        register("studies", work.studies)
