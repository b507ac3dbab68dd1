"""How fast a backlog of one webhook endpoint drains: `python -m tests.chat.webhook_drain --deliveries 20000`.

Real servers, the jobs as they run, and a receiver in a process of its own, which answers over kept connections and
looks whether each conversation's news arrives in order. Nothing is left behind.
"""

import argparse
import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from smartsupport.embedded import ports, servers

ROOT = Path(__file__).resolve().parents[2]
JOBS = (
    "-m",
    "celery",
    "-q",
    "-A",
    "smartsupport",
    "worker",
    "--beat",
    "--without-gossip",
    "--without-mingle",
)


class Receiver:
    """Answers 204 after `delay` seconds and counts what it got: {"got", "again", "disordered", "connections"}."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.seen: set[str] = set()
        self.last: dict[str, int] = {}
        self.counts = {"got": 0, "again": 0, "disordered": 0, "connections": 0, "at_once": 0}
        self.busy = 0

    async def serve(self, port: int) -> None:
        server = await asyncio.start_server(self._talk, "127.0.0.1", port)
        async with server:
            await server.serve_forever()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = next(
                    (
                        line.partition(":")[2]
                        for line in head.splitlines()
                        if line.startswith("content-length")
                    ),
                    "0",
                )
                body = await reader.readexactly(int(length))
                if head.startswith("get"):
                    told = json.dumps(self.counts).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told))
                    continue
                self.busy += 1
                self.counts["at_once"] = max(self.busy, self.counts["at_once"])
                self._note(json.loads(body)["data"])
                if self.delay:
                    await asyncio.sleep(self.delay)
                self.busy -= 1
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _note(self, told: dict[str, str]) -> None:
        number, thread = told["action_id"], told["thread_id"]
        self.counts["got"] += 1
        if number in self.seen:
            self.counts["again"] += 1
        elif int(number) < self.last.get(thread, -1):
            self.counts["disordered"] += 1
        self.seen.add(number)
        self.last[thread] = max(int(number), self.last.get(thread, -1))


def counted(port: int) -> dict[str, int]:
    import http.client

    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    asking.request("GET", "/")
    told: dict[str, int] = json.loads(asking.getresponse().read())
    asking.close()
    return told


def write_backlog(deliveries: int, conversations: int, host: str) -> None:
    """`deliveries` for one endpoint, over so many conversations by turns, all due now."""
    from django.db import connection

    from chat import webhook_signing
    from chat.models import Conversation, Customer, WebhookEndpoint
    from smartsupport.lib.sealing import seal

    owner = Customer.objects.create(subject="cus_drain")
    Conversation.objects.bulk_create(
        Conversation(customer=owner, thread_id=f"drain-{number}") for number in range(conversations)
    )
    row = WebhookEndpoint(
        url=f"http://{host}/hooks", events=["import.done"], secret=seal(webhook_signing.new_secret())
    )
    WebhookEndpoint.objects.bulk_create([row])
    note = {"tool": "cancel_order", "agent": "order_actions", "status": "approved", "approver": "staff"}
    note |= {"decided_by": "staff", "decided_by_name": "sam"}
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO chat_webhookdelivery (id, endpoint_id, conversation_id, kind, payload, note, place, status, "
            "attempts_made, failures, resent_by, next_attempt_at, created_at) "
            "SELECT gen_random_uuid(), %s, c.id, 'action.decided', '{}', "
            "%s::jsonb || jsonb_build_object('action_id', n::text), n, 'queued', 0, 0, '', now(), now() "
            "FROM generate_series(0, %s) n JOIN chat_conversation c ON c.thread_id = 'drain-' || (n %% %s)",
            [row.pk, json.dumps(note), deliveries - 1, conversations],
        )
        cursor.execute("ANALYZE chat_webhookdelivery, chat_conversation")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--deliveries", type=int, default=20_000)
    asked.add_argument("--conversations", type=int, default=4_000)
    asked.add_argument("--delay-ms", type=int, default=0, help="how long the receiver takes to answer")
    asked.add_argument("--jobs", type=int, default=1, help="jobs processes, of two children each")
    asked.add_argument("--seconds", type=int, default=600, help="at most")
    asked.add_argument("--receive", type=int, default=0, help=argparse.SUPPRESS)
    wanted = asked.parse_args()
    if wanted.receive:
        asyncio.run(Receiver(wanted.delay_ms / 1000).serve(wanted.receive))
        return
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="drain-"))
        folder.chmod(0o711)  # started by root, Postgres runs as somebody else, who must pass through here
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        started = stack.enter_context(servers.running(folder))
        port = ports.choose(None)
        os.environ |= {
            "DEBUG": "false",
            "HTTPS_ONLY": "false",
            "SECRET_KEY": secrets.token_urlsafe(60),
            "ALLOWED_HOSTS": "127.0.0.1",
            "CUSTOMER_JWT_SECRET": secrets.token_urlsafe(60),
            "DATABASE_URL": started.database_url,
            "REDIS_URL": started.redis_url,
            "DATA_DIR": str(folder),
            "SAFE_HTTP_ALLOWED_HOSTS": f"127.0.0.1:{port}",
            "WEBHOOK_ALLOWED_HOSTS": f"127.0.0.1:{port}",
            "DJANGO_SETTINGS_MODULE": "smartsupport.settings",
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        write_backlog(wanted.deliveries, wanted.conversations, f"127.0.0.1:{port}")
        from django.db import connection

        connection.close()
        own = [sys.executable, "-m", "tests.chat.webhook_drain", "--receive", str(port)]
        receiver = subprocess.Popen([*own, "--delay-ms", str(wanted.delay_ms)], cwd=ROOT)
        stack.callback(receiver.wait)
        stack.callback(receiver.terminate)
        log = stack.enter_context((folder / "jobs.log").open("wb"))
        for number in range(wanted.jobs):
            words = [sys.executable, *JOBS, "--concurrency", "2", "-n", f"drain{number}@%h"]
            jobs = subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log)
            stack.callback(jobs.wait)
            stack.callback(jobs.terminate)
        began: float | None = None
        until = time.monotonic() + wanted.seconds
        last = 0.0
        while True:
            time.sleep(0.5)
            now = time.monotonic()
            try:
                told = counted(port)
            except OSError:
                continue
            if began is None and told["got"]:
                began, first = now, told["got"]
            if began is not None and now - last > 5:
                print(f"{now - began:6.1f} s  {told}", flush=True)
                last = now
            if told["got"] >= wanted.deliveries or now > until:
                break
        assert began is not None, (folder / "jobs.log").read_text()[-2000:]
        rate = (told["got"] - first) / (now - began)
        print(f"{told['got']:,} deliveries in {now - began:.1f} s: {rate:.0f} a second; {told}")


if __name__ == "__main__":
    main()
