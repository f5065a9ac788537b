"""WebSocket addresses."""

from django.urls import path

from clusterx.live.socket import stream_socket

websocket_urlpatterns = [path("ws/v1/stream/", stream_socket)]  # type: ignore[arg-type]
