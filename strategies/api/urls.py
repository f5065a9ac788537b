"""Addresses of strategies' REST API."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from strategies.api import studies, views

router = SimpleRouter(use_regex_path=False)
router.register("my-strategies", views.OwnStrategyViewSet, basename="own-strategy")
router.register("runs", views.RunViewSet, basename="run")
router.register("studies", studies.StudyViewSet, basename="study")

urlpatterns = [
    path("strategies/", views.StrategyListView.as_view(), name="strategy-list"),
    path("versions/<uuid:public_id>/", views.VersionView.as_view(), name="version"),
    path("shared-runs/<str:token>/", views.SharedRunView.as_view(), name="shared-run"),
    path("shared-runs/<str:token>/result/", views.SharedResultView.as_view(), name="shared-run-result"),
    # Files are called what they are, without the slash that the router would add.
    path("runs/<uuid:public_id>/trades.csv", views.RunViewSet.as_view({"get": "trades_csv"}), name="run-trades-csv"),
    path(
        "runs/<uuid:public_id>/trades.parquet", views.RunViewSet.as_view({"get": "trades_parquet"}), name="run-trades-parquet"
    ),
    path("", include(router.urls)),
]
