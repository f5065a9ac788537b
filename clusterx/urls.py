"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path

handler400 = "clusterx.pages.bad_request"
handler403 = "clusterx.pages.permission_denied"
handler500 = "clusterx.pages.server_error"

urlpatterns = [
    path("", include("clusterx.pages")),
    path("accounts/", include("clusterx.accounts.urls")),
    path("admin/", admin.site.urls),
    path("api/", include("clusterx.api.urls")),
    path("markets/", include("marketdata.urls")),
    path("strategies/", include("strategies.urls")),
    path("trade/", include("trading.urls")),
]
