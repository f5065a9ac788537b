"""The platform's Django apps."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class PlatformConfig(AppConfig):
    name = "clusterx"
    label = "clusterx"
    verbose_name = "ClusterX"
    default = True

    def ready(self) -> None:
        from clusterx import checks  # noqa: F401  (registers them)


class PlatformAdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "clusterx.admin.PlatformAdminSite"
