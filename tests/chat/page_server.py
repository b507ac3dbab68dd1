"""A real server for the chat page alone: it serves the template and the static files under the page's own
security policy, and hands every socket to the test, which plays the other side of the protocol."""

import json
import mimetypes
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.template.loader import render_to_string
from playwright.sync_api import Browser, ConsoleMessage, Page
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

STATIC = Path(__file__).resolve().parents[2] / "chat" / "static"
PATIENCE = 10  # seconds; a frame that takes longer is not coming
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'"
)
SUGGESTIONS = ["Where is order 1042?", "Cancel order 1042", "I want to talk to a person"]

Frame = dict[str, Any]


class Peer:
    """The server's end of one socket. Every frame waits for `receive`, but for pings: they are answered
    (unless `mute`) and, as frames are answered in order, after a `resume` or `history` that came before them."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.token = parse_qs(urlsplit(connection.request.path if connection.request else "").query).get(
            "token", [""]
        )[0]
        self.mute = False
        self.thread_id = ""
        self._received: queue.Queue[Frame] = queue.Queue()
        self._gone = threading.Event()
        self._owed: queue.Queue[str] = queue.Queue()
        self._resuming = False

    def read_until_closed(self) -> None:
        try:
            for text in self.connection:
                frame = json.loads(text)
                if frame["type"] == "ping":
                    self._owed.put("pong")
                    self._pay()
                    continue
                self._resuming = self._resuming or frame["type"] in ("resume", "history")
                self.thread_id = frame.get("thread_id", self.thread_id)
                self._received.put(frame)
        except ConnectionClosed:
            pass
        finally:
            self._gone.set()

    def _pay(self) -> None:
        while not self.mute and not self._resuming and not self._owed.empty():
            self.connection.send(json.dumps({"type": self._owed.get()}))

    def receive(self, kind: str) -> Frame:
        """The next frame of the page, which has to be of this type."""
        frame = self._received.get(timeout=PATIENCE)
        assert frame["type"] == kind, frame
        return frame

    def nothing_more(self) -> bool:
        """Whether every frame of the page was received. The caller has waited for a later sign of it."""
        return self._received.empty()

    def frame(self, kind: str, **fields: Any) -> Frame:
        """One frame; those that report an event get their thread and a time."""
        frame: Frame = {"type": kind, **fields}
        if "seq" in fields or kind in ("token", "reasoning"):
            frame = {"thread_id": self.thread_id, "at": datetime.now(UTC).isoformat(), **frame}
        return frame

    def send(self, kind: str, **fields: Any) -> None:
        self.connection.send(json.dumps(self.frame(kind, **fields)))
        if kind in ("resumed", "history") or (kind == "error" and "seq" not in fields):
            self._resuming = False
            self._pay()

    def accept(self, seq: int, turn_id: str | None, *, position: int = 0) -> Frame:
        """Receives a message and accepts it; without a turn it is a colleague's to answer."""
        message = self.receive("message")
        self.send(
            "accepted",
            seq=seq,
            turn_id=turn_id,
            position=position,
            client_message_id=message["client_message_id"],
            at=None,
        )
        return message

    def resumed(self, seq: int) -> None:
        """Everything that was missed has been sent, up to `seq`."""
        self.send("resumed", thread_id=self.thread_id, seq=seq)

    def page(
        self, frames: list[Frame], *, after: int | None = None, seq: int | None = None, **fields: Any
    ) -> None:
        """Answers `history`: `after` is where the page before ends (None: there is none), `seq` the log's end."""
        page = {"frames": frames, "pending": [], "next": None if after is None else after + 1, "seq": seq}
        self.send("history", thread_id=self.thread_id, **{**page, **fields})

    def tell_all(self, frames: list[Frame], seq: int | None = None) -> None:
        """A visitor comes back: one page that has everything, and nothing that came since."""
        last = seq if seq is not None else max((frame["seq"] for frame in frames), default=0)
        assert "before" not in self.receive("history")
        self.page(frames, seq=last)
        assert self.receive("resume")["after"] == last
        self.resumed(last)

    def cut(self) -> None:
        """The network is gone, in the middle of whatever was going on: no closing handshake."""
        self.connection.socket.shutdown(2)

    def closed(self) -> bool:
        """Whether this socket is gone: the page has left it for another."""
        return self._gone.wait(0.5)

    def refuse(self, code: int, reason: str) -> None:
        self.connection.close(code, reason)


class PageServer:
    """`url` is the page. `config` is merged into what the page is told."""

    def __init__(self) -> None:
        self.url = ""
        self.config: dict[str, Any] = {}
        self.requests: list[str] = []
        self._peers: queue.Queue[Peer] = queue.Queue()

    def next_peer(self) -> Peer:
        """The next socket that the page opens."""
        return self._peers.get(timeout=PATIENCE)

    def handle(self, connection: ServerConnection) -> None:
        peer = Peer(connection)
        self._peers.put(peer)
        peer.read_until_closed()

    def respond(self, connection: ServerConnection, request: Request) -> Response | None:
        path = urlsplit(request.path).path
        self.requests.append(request.path)
        if path == "/ws":
            return None
        if path == "/":
            return _response(self.page().encode(), "text/html; charset=utf-8")
        file = (STATIC / path.removeprefix("/static/")).resolve()
        if file.is_relative_to(STATIC) and file.is_file():
            return _response(
                file.read_bytes(), mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            )
        return connection.respond(404, "There is no such file.\n")

    def page(self) -> str:
        config = {
            "socketPath": "/ws",
            "maxLength": 10_000,
            "modelLabel": "Offline demo model",
            "suggestions": SUGGESTIONS,
            **self.config,
        }
        return render_to_string(
            "chat/page.html",
            {
                "product_name": "Smart Support",
                "company": {"name": "Northwind Outfitters"},
                "model_label": config["modelLabel"],
                "provider": "offline",
                "suggestions": config["suggestions"],
                "socket_path": "/ws",
                "page_config_json": config,
            },
        )


def _response(body: bytes, content_type: str) -> Response:
    headers = Headers(
        {
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": POLICY,
            "Cache-Control": "no-store",
            "Connection": "close",
        }
    )
    return Response(200, "OK", headers, body)


@contextmanager
def running_page_server() -> Iterator[PageServer]:
    pages = PageServer()
    with serve(pages.handle, "127.0.0.1", 0, process_request=pages.respond, ping_interval=None) as server:
        pages.url = f"http://127.0.0.1:{server.socket.getsockname()[1]}/"
        thread = threading.Thread(target=server.serve_forever, name="page-server", daemon=True)
        thread.start()
        yield pages
    thread.join(PATIENCE)


class Visitor:
    """A browser context on the page: what a customer does with it, and what went wrong in it."""

    def __init__(self, pages: PageServer, page: Page) -> None:
        self.pages, self.page, self.faults = pages, page, list[str]()
        self.log = page.locator("#log")
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", self._note)
        page.on("request", lambda request: self._check(request.url))

    @classmethod
    @contextmanager
    def arriving(cls, browser: Browser, pages: PageServer, **options: Any) -> Iterator["Visitor"]:
        """A new context (`options` are Playwright's), closed afterwards; its faults are then a failure."""
        context = browser.new_context(**options)
        visitor = cls(pages, context.new_page())
        try:
            yield visitor
        finally:
            context.close()
        assert visitor.faults == []

    def open(self, fragment: str = "") -> Peer:
        """Loads the page and returns its socket."""
        self.page.goto(self.pages.url + fragment)
        return self.pages.next_peer()

    def say(self, content: str) -> None:
        self.page.get_by_label("Your message").fill(content)
        self.page.keyboard.press("Enter")

    def texts(self) -> list[str]:
        """What the conversation shows, as a reader sees it: one string for each thing in it."""
        return [" ".join(text.split()) for text in self.log.locator("> *").all_inner_texts()]

    def _note(self, message: ConsoleMessage) -> None:
        dropped = "WebSocket" in message.text or "ERR_INTERNET_DISCONNECTED" in message.text
        if message.type == "error" and not dropped:
            self.faults.append(f"console: {message.text}")

    def _check(self, url: str) -> None:
        if not url.startswith((self.pages.url, "data:")):
            self.faults.append(f"third party: {url}")
