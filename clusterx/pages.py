"""Pages that belong to no app: the landing page and the health checks."""

from django.urls import path
from django.views.generic import TemplateView

urlpatterns = [path("", TemplateView.as_view(template_name="pages/home.html"), name="home")]
