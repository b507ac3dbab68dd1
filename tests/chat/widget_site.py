"""Sites of other companies, for the widget's tests: real HTTP servers on host names foreign to the product's.

Names below `localhost` lead to this machine and are secure contexts, as HTTPS is; 127.0.0.1, where the product
answers, is another site than they are.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Site:
    """`pages` is what it serves: by path, the headers and the body. Tests fill it."""

    def __init__(self, name: str) -> None:
        self.pages: dict[str, tuple[dict[str, str], str]] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers, body = site.pages.get(self.path, ({}, ""))
                self.send_response(200 if self.path in site.pages else 404)
                content = body.encode()
                kind = "text/javascript" if self.path.endswith(".js") else "text/html; charset=utf-8"
                for field, value in {
                    "Content-Type": kind,
                    "Content-Length": str(len(content)),
                    **headers,
                }.items():
                    self.send_header(field, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128  # the system drops who is one too many, who comes again a second later

        self.server = Server(("127.0.0.1", 0), Handler)
        self.origin = f"http://{name}.localhost:{self.server.server_port}"


@contextmanager
def running_site(name: str) -> Iterator[Site]:
    site = Site(name)
    thread = threading.Thread(
        target=site.server.serve_forever, args=(0.02,), name=f"site-{name}", daemon=True
    )
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        site.server.server_close()
        thread.join()
