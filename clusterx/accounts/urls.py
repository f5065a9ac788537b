"""Addresses of signing in and of a person's settings."""

from django.urls import include, path

from clusterx.accounts import views

urlpatterns = [
    path("settings/", views.display, name="settings-display"),
    path("settings/language/", views.language, name="settings-language"),
    path("settings/tokens/", views.tokens, name="settings-tokens"),
    path("settings/tokens/<uuid:public_id>/revoke/", views.revoke_token, name="settings-revoke-token"),
    path("", include("allauth.urls")),
]
