from django.apps import AppConfig


class ObservabilityConfig(AppConfig):
    name = "clusterx.observability"
    label = "observability"
    verbose_name = "Observability"
