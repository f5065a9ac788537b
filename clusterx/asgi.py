"""HTTP and WebSockets of one ``web`` process."""

import gc
import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clusterx.settings")
http = get_asgi_application()

import clusterx.urls  # noqa: E402, F401  (all views now, and not with the first request)
from clusterx.accounts.sockets import SocketAuthentication  # noqa: E402
from clusterx.live.routing import websocket_urlpatterns  # noqa: E402  (needs the apps loaded)
from clusterx.observability.metrics import serve  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": SocketAuthentication(URLRouter(websocket_urlpatterns)),
    }
)

serve()
# What is loaded now stays. Without this the collector walks through all of it every few seconds, and every client waits 100 ms.
gc.collect()
gc.freeze()
