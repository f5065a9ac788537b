"""Addresses of strategies' REST API."""

from django.urls import path

from strategies.api.views import StrategyListView

urlpatterns = [path("strategies/", StrategyListView.as_view(), name="strategy-list")]
