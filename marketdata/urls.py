"""Addresses of the pages of Markets. A ref holds a colon, so fixed words come first."""

from django.urls import path

from marketdata import views

app_name = "markets"
urlpatterns = [
    path("", views.market_list, name="list"),
    path("watchlists/", views.watchlist_page, name="watchlists"),
    path("watchlists/<uuid:public_id>/delete/", views.watchlist_delete, name="watchlist_delete"),
    path("watchlists/<uuid:public_id>/rename/", views.watchlist_rename, name="watchlist_rename"),
    path("<str:ref>/", views.instrument, name="instrument"),
    path("<str:ref>/watch/", views.watch, name="watch"),
]
