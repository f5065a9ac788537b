"""The staff site."""

from django.contrib.admin import AdminSite


class PlatformAdminSite(AdminSite):
    site_header = "ClusterX"
