"""Pages that belong to no app: the landing page and the licences."""

from django.urls import path
from django.views.generic import TemplateView

urlpatterns = [
    path("", TemplateView.as_view(template_name="pages/home.html"), name="home"),
    path("licences/", TemplateView.as_view(template_name="pages/licences.html"), name="licences"),
]
