"""A real server for the chat page alone: it serves the template and the static files under the page's own
security policy, and hands every socket to the test, which plays the other side of the protocol. One for all tests of a
process, so that the browser need not get forty files for each page that it opens."""

import itertools
import json
import logging
import mimetypes
import queue
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.template.loader import render_to_string
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, expect
from playwright.sync_api import Request as BrowserRequest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

STATIC = Path(__file__).resolve().parents[2] / "chat" / "static"
PATIENCE = 60  # seconds; a frame that takes longer is not coming
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'"
)
SUGGESTIONS = ["Where is order 1042?", "Cancel order 1042", "I want to talk to a person"]
# The page sends a frame that means nothing, when it has drawn whatever it was about to draw.
MARK = """async () => {
  const { session } = await import("/static/chat/page.js");
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  return session.socket.send({ type: "mark" });
}"""
# Whether the page takes in every event up to a seq, and draws what they change.
TAKEN_IN = """async ([seq, patience]) => {
  const { session } = await import("/static/chat/page.js");
  const drawn = () => new Promise((done) => requestAnimationFrame(done));
  for (const end = Date.now() + patience * 1000; session.state.floor < seq && Date.now() < end;) await drawn();
  await drawn();
  return session.state.floor >= seq;
}"""

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
        self._marks: queue.Queue[Frame] = queue.Queue()
        self._owed: queue.Queue[str] = queue.Queue()
        self._resuming = False
        self._closed = threading.Event()

    def read_until_closed(self) -> None:
        try:
            for text in self.connection:
                frame = json.loads(text)
                if frame["type"] == "mark":
                    self._marks.put(frame)
                    continue
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
            self._closed.set()

    def _pay(self) -> None:
        while not self.mute and not self._resuming and not self._owed.empty():
            self.connection.send(json.dumps({"type": self._owed.get()}))

    def receive(self, kind: str) -> Frame:
        """The next frame of the page, which has to be of this type."""
        frame = self._received.get(timeout=PATIENCE)
        assert frame["type"] == kind, frame
        return frame

    def nothing_before_its_mark(self) -> bool:
        """Whether every frame that the page sent before its next mark was received."""
        self._marks.get(timeout=PATIENCE)
        return self._received.empty()

    def nothing_before_its_end(self) -> bool:
        """Whether every frame was received that the page sent before it closed the socket."""
        assert self._closed.wait(PATIENCE)
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

    def refuse(self, code: int, reason: str) -> None:
        self.connection.close(code, reason)


class PageServer:
    """What one test sees of the server. `url` is the page and `blank` one without anything, `config` is merged into
    what the page is told, and `socket_path` is where its sockets are opened: one that an earlier test's page opens late
    is not this test's."""

    def __init__(self, url: str, number: int) -> None:
        self.url, self.blank = url, f"{url}blank"
        self.socket_path = f"/ws/{number}"
        self.config: dict[str, Any] = {}
        self.unavailable = 0  # so many handshakes are refused
        self.requests: list[str] = []
        self._peers: queue.Queue[Peer] = queue.Queue()

    def next_peer(self) -> Peer:
        """The next socket that the page opens."""
        return self._peers.get(timeout=PATIENCE)

    def attend(self, connection: ServerConnection) -> None:
        peer = Peer(connection)
        self._peers.put(peer)
        peer.read_until_closed()

    def page(self) -> str:
        config = {
            "socketPath": self.socket_path,
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
                "socket_path": config["socketPath"],
                "page_config_json": config,
            },
        )


def ending(words: str) -> re.Pattern[str]:
    """A text whose last words these are, for `Visitor.shows`."""
    return re.compile(rf"(^|\s){re.escape(words)}\s*$")


class Site:
    """The server. Its page is of the test that has asked last for its `pages`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._numbers = itertools.count()
        self._shown = self.pages()

    def pages(self) -> PageServer:
        """For the next test."""
        self._shown = PageServer(self.url, next(self._numbers))
        return self._shown

    def attend(self, connection: ServerConnection) -> None:
        shown = self._shown
        if connection.request is not None and shown.socket_path == urlsplit(connection.request.path).path:
            shown.attend(connection)

    def respond(self, connection: ServerConnection, request: Request) -> Response | None:
        path = urlsplit(request.path).path
        if path.startswith("/ws") and path != self._shown.socket_path:
            return connection.respond(404, "This was another test's.\n")
        self._shown.requests.append(request.path)
        if path == self._shown.socket_path:
            if not self._shown.unavailable:
                return None
            self._shown.unavailable -= 1
            return connection.respond(503, "Try again in a few seconds.\n")
        if path == "/":
            return _response(self._shown.page().encode(), "text/html; charset=utf-8", "no-store")
        if path == "/blank":
            return _response(b"<!doctype html><title>Nothing</title>", "text/html; charset=utf-8", "no-store")
        file = (STATIC / path.removeprefix("/static/")).resolve()
        if file.is_relative_to(STATIC) and file.is_file():
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            return _response(file.read_bytes(), kind, "max-age=3600")
        return connection.respond(404, "There is no such file.\n")


def _response(body: bytes, content_type: str, caching: str) -> Response:
    headers = Headers(
        {
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": POLICY,
            "Cache-Control": caching,
            "Connection": "close",
        }
    )
    return Response(200, "OK", headers, body)


@contextmanager
def running_site() -> Iterator[Site]:
    listener = socket.create_server(("127.0.0.1", 0))
    site = Site(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    quiet = logging.getLogger("tests.page_server")
    quiet.setLevel(logging.WARNING)
    with serve(
        site.attend, sock=listener, process_request=site.respond, ping_interval=None, logger=quiet
    ) as server:
        thread = threading.Thread(target=server.serve_forever, name="page-server", daemon=True)
        thread.start()
        yield site
    thread.join(PATIENCE)


class Visitor:
    """A browser context on the page: what a customer does with it, and what went wrong in it."""

    def __init__(self, pages: PageServer, page: Page) -> None:
        self.pages, self.page, self.faults = pages, page, list[str]()
        self.log = page.locator("#log")
        # Where connecting takes longer than a blink, that is told as well.
        self.announced = page.locator("#announcer p").filter(has_not_text="Connected again.")
        for event, told in self._listening:
            page.on(event, told)

    @property
    def _listening(self) -> list[tuple[Any, Any]]:
        return [("pageerror", self._fail), ("console", self._note), ("request", self._check)]

    def leave(self) -> None:
        """Look no more at what happens on the page."""
        for event, told in self._listening:
            self.page.remove_listener(event, told)

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

    def come_back(self, thread_id: str) -> Peer:
        """Loads the page as somebody who has a conversation from an earlier visit, and returns its socket."""
        self.page.goto(self.pages.blank)
        self.page.evaluate(
            "thread => localStorage.setItem('smartsupport.thread', JSON.stringify(thread))", thread_id
        )
        peer = self.open()
        peer.thread_id = thread_id
        return peer

    def say(self, content: str) -> None:
        self.page.get_by_label("Your message").fill(content)
        self.page.keyboard.press("Enter")

    def texts(self) -> list[str]:
        """What the conversation shows now, as a reader sees it: one string for each thing in it."""
        return [" ".join(text.split()) for text in self.log.locator("> *").all_inner_texts()]

    def shows(self, *expected: str | re.Pattern[str]) -> None:
        """Wait until these are the `texts`."""
        expect(self.log.locator("> *")).to_have_text(list(expected), use_inner_text=True)

    def is_accepted(self, messages: int) -> None:
        """Wait until the page knows that so many messages have arrived. It sends none of them again when it is left."""
        expect(self.log.locator(".mine:not(.is-unsent)")).to_have_count(messages)
        expect(self.log.locator(".mine.is-unsent")).to_have_count(0)

    def has_taken_in(self, seq: int) -> bool:
        """Wait until everything up to this seq is here, where nothing to be seen tells so."""
        return bool(self.page.evaluate(TAKEN_IN, [seq, PATIENCE]))

    def sends_nothing_more_to(self, peer: Peer) -> bool:
        """Whether every frame of the page was received, those that what it shows by now makes it send too."""
        assert self.page.evaluate(MARK), "there is no connection"
        return peer.nothing_before_its_mark()

    def _fail(self, error: Error) -> None:
        self.faults.append(f"error: {error}")

    def _note(self, message: ConsoleMessage) -> None:
        dropped = "WebSocket" in message.text or "ERR_INTERNET_DISCONNECTED" in message.text
        if message.type == "error" and not dropped:
            self.faults.append(f"console: {message.text}")

    def _check(self, request: BrowserRequest) -> None:
        if not request.url.startswith((self.pages.url, "data:")):
            self.faults.append(f"third party: {request.url}")
