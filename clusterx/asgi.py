"""HTTP and WebSockets of one ``web`` process."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clusterx.settings")
http = get_asgi_application()

from clusterx.accounts.sockets import SocketAuthentication  # noqa: E402
from clusterx.live.routing import websocket_urlpatterns  # noqa: E402  (needs the apps loaded)

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": SocketAuthentication(URLRouter(websocket_urlpatterns)),
    }
)
