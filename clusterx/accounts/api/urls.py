"""Addresses under /api/v1/ of a person's own account."""

from rest_framework.routers import SimpleRouter

from clusterx.accounts.api.views import TokenViewSet

router = SimpleRouter(use_regex_path=False)
router.register("tokens", TokenViewSet, basename="token")
urlpatterns = router.urls
