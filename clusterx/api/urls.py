"""The REST API's addresses; each app adds its own router."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="api-schema"), name="api-docs"),
    path("v1/", include("marketdata.api.urls")),
    path("v1/", include("strategies.api.urls")),
    path("v1/", include("trading.api.urls")),
]
