from django.apps import AppConfig


class ObservabilityConfig(AppConfig):
    name = "clusterx.observability"
    label = "observability"
    verbose_name = "Observability"

    def ready(self) -> None:
        from clusterx.observability import metrics  # noqa: F401  (tasks are measured from now on)
