"""The platform's Django apps."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class PlatformConfig(AppConfig):
    name = "clusterx"
    label = "clusterx"
    verbose_name = "ClusterX"
    default = True


class PlatformAdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "clusterx.admin.PlatformAdminSite"
