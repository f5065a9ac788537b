"""Addresses of trading's REST API."""

from rest_framework.routers import SimpleRouter

from trading.api import connections, risk, views

router = SimpleRouter(use_regex_path=False)
for viewset, prefix in (
    (views.AccountViewSet, "accounts"),
    (connections.BrokerViewSet, "brokers"),
    (connections.ConnectionViewSet, "connections"),
    (views.DeploymentViewSet, "deployments"),
    (views.OrderViewSet, "orders"),
    (views.FillViewSet, "fills"),
    (views.PositionViewSet, "positions"),
):
    router.register(prefix, viewset, basename=prefix.removesuffix("s"))

urlpatterns = [*router.urls, *risk.urlpatterns]
