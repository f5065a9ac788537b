"""Addresses of market data's REST API."""

from django.urls import path

from marketdata.api import views

urlpatterns = [
    path("instruments/", views.InstrumentList.as_view()),
    path("instruments/<str:ref>/", views.InstrumentDetail.as_view()),
    path("instruments/<str:ref>/candles/", views.Candles.as_view()),
    path("instruments/<str:ref>/indicators/", views.Indicators.as_view()),
    path("instruments/<str:ref>/signals/", views.Signals.as_view()),
    path("instruments/<str:ref>/trades/", views.Trades.as_view()),
    path("instruments/<str:ref>/book/", views.Book.as_view()),
    path("indicators/", views.IndicatorRegistry.as_view()),
    path("watchlists/", views.WatchlistList.as_view()),
    path("watchlists/<uuid:public_id>/", views.WatchlistDetail.as_view()),
]
