"""Sockets and channels, for `smartsupport.asgi`."""

from typing import Any
from urllib.parse import urlparse

from channels.routing import ChannelNameRouter, URLRouter
from channels.security.websocket import OriginValidator
from django.conf import settings
from django.urls import path

from chat import daphne_replies
from chat.consumers import ChatConsumer
from chat.worker import TurnsConsumer


class OriginIfAny(OriginValidator):
    """Checks `Origin` when there is one: browsers always send it, and only they carry our cookie unasked."""

    def valid_origin(self, parsed_origin: Any) -> bool:
        return parsed_origin is None or super().valid_origin(parsed_origin)


def _allowed_origins() -> list[str]:
    trusted = [urlparse(origin).netloc.rsplit(":", 1)[0] for origin in settings.CSRF_TRUSTED_ORIGINS]
    return [*settings.ALLOWED_HOSTS, *trusted]


daphne_replies.install()
websocket = OriginIfAny(URLRouter([path("ws", ChatConsumer.as_asgi())]), _allowed_origins())
channels = ChannelNameRouter({settings.TURNS_CHANNEL: TurnsConsumer.as_asgi()})
