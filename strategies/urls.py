"""Addresses of the pages of Strategies."""

from django.urls import path

from strategies import views

app_name = "strategies"
urlpatterns = [
    path("", views.strategy_list, name="list"),
    path("<slug:name>/", views.strategy, name="detail"),
]
