"""What daphne serves: `daphne smartsupport.asgi:application`."""

from smartsupport import startup

with startup.loading():
    startup.read_settings()
    startup.require_servers()

    from django.core.asgi import get_asgi_application

    pages = get_asgi_application()  # before anything that imports models

    from channels.routing import ProtocolTypeRouter

    from chat import routing
    from chat.mcp.app import beside
    from chat.streaming import with_streams
    from smartsupport import access_log, leaving, urls  # noqa: F401  the routes now, not while the first visitor waits
    from smartsupport.lib import observing

access_log.hide_secrets()
leaving.install()
observing.tell("process_started", name="web")

application = ProtocolTypeRouter(
    {"http": beside(with_streams(pages)), "websocket": routing.websocket, "channel": routing.channels}
)
