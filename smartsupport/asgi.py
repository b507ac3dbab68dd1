"""What daphne serves: `daphne smartsupport.asgi:application`."""

from smartsupport import startup

startup.read_settings()
startup.require_servers()

from django.core.asgi import get_asgi_application  # noqa: E402

pages = get_asgi_application()  # before anything that imports models

from channels.routing import ProtocolTypeRouter  # noqa: E402

from chat import routing  # noqa: E402
from smartsupport import access_log  # noqa: E402

access_log.hide_secrets()

application = ProtocolTypeRouter({"http": pages, "websocket": routing.websocket, "channel": routing.channels})
