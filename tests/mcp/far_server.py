"""External MCP servers for the tests: the SDK's own, on a port of its own, in a thread."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings

PATIENCE_SECONDS = 60


@contextlib.contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an ASGI application; the address of its server."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    config = uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        listening.close()
        assert not thread.is_alive()


@contextlib.contextmanager
def mcp_server(server: Any, **how: Any) -> Iterator[str]:
    """Serve one of the SDK's servers; the address of its endpoint."""
    anywhere = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    with serving(server.streamable_http_app(transport_security=anywhere, **how)) as url:
        yield f"{url}/mcp"
