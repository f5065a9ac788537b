from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "clusterx.events"
    label = "events"
    verbose_name = "Events"
