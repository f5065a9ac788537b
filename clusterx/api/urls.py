"""The REST API's addresses; each app adds its own."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from clusterx.api.problems import not_found

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    # The split view serves its script from our own address, as the content security policy wants it.
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
    path("v1/", include("clusterx.accounts.api.urls")),
    path("v1/", include("marketdata.api.urls")),
    path("v1/", include("strategies.api.urls")),
    path("v1/", include("trading.api.urls")),
    re_path(r"^.*$", not_found),
]
