"""Addresses of strategies' REST API."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from strategies.api import views

router = SimpleRouter(use_regex_path=False)
router.register("my-strategies", views.OwnStrategyViewSet, basename="own-strategy")
router.register("runs", views.RunViewSet, basename="run")

urlpatterns = [
    path("strategies/", views.StrategyListView.as_view(), name="strategy-list"),
    path("versions/<uuid:public_id>/", views.VersionView.as_view(), name="version"),
    path("shared-runs/<str:token>/", views.SharedRunView.as_view(), name="shared-run"),
    path("shared-runs/<str:token>/result/", views.SharedResultView.as_view(), name="shared-run-result"),
    path("", include(router.urls)),
]
