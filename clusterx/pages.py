"""Pages that belong to no app: the landing page, the licences and the health checks."""

from django.urls import path
from django.views.generic import TemplateView

from clusterx.observability import health

urlpatterns = [
    path("", TemplateView.as_view(template_name="pages/home.html"), name="home"),
    path("licences/", TemplateView.as_view(template_name="pages/licences.html"), name="licences"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
