"""Consumers whose database work has threads of its own."""

from typing import Any

from channels.consumer import AsyncConsumer, get_handler_name


class DirectConsumer(AsyncConsumer):
    """Channels' own consumer closes old database connections before every message, in the one thread that all
    consumers of a process share: nine waits for that thread in a turn. Nothing of ours uses it or its connection; see
    `smartsupport.lib.threads`, where connections are looked after."""

    async def dispatch(self, message: dict[str, Any]) -> None:
        handler = getattr(self, get_handler_name(message), None)
        if handler is None:
            raise ValueError(f"No handler for message type {message['type']}")
        await handler(message)
