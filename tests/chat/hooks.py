"""The other system that webhooks are for: a real server that keeps what it received and answers as a test wants."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Post:
    """A webhook as it arrived; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """`meanwhile` runs after the request was read and before it is answered; `silent` closes without an answer."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    meanwhile: Callable[[], object] | None = None
    silent: bool = False


class Receiver:
    """`posts` in the order of arrival. Answers are given in turn; the last one lasts."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.answers = [Answer()]
        self.url = ""
        self.host = ""

    def will(self, *answers: Answer) -> None:
        self.answers = list(answers)

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # it keeps connections

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            body = self.rfile.read(length)
            if len(body) < length:  # whoever sent it was killed in the middle of it
                self.close_connection = True
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.posts.append(Post(self.path, headers, body))
            answer = receiver.next_answer()
            if answer.meanwhile:
                answer.meanwhile()
            if answer.silent:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128  # the system drops who is one too many, who comes again a second later

    server = Server(("127.0.0.1", 0), Handler)
    receiver.host = f"127.0.0.1:{server.server_address[1]}"
    receiver.url = f"http://{receiver.host}/hooks?who=us"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
