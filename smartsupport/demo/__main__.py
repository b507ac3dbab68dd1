"""`python -m smartsupport.demo --port 8001 --data DIR`: serve the demo business until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import os
import signal
import sys
from datetime import date
from pathlib import Path

from aiohttp import web

from .server import application
from .storage import Books, BooksUnusable

LAST_PORT = 65535
# A request that is being slow on purpose does not hold up the end of the program for longer than this.
GRACE_SECONDS = 2.0


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m smartsupport.demo", description=__doc__)
    parser.add_argument("--port", type=_port, default=8001, help="0 takes any free port (default: 8001)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--data", type=Path, required=True, help="folder that keeps the business's books")
    parser.add_argument("--seed", type=int, default=20260101, help="seed of the first day's data")
    parser.add_argument(
        "--today",
        type=_day,
        default=None,
        help="day that new data counts back from (default: today)",
    )
    return parser.parse_args(words)


async def serve(options: argparse.Namespace, books: Books) -> None:
    """Listen, say where, and return after SIGTERM or SIGINT. Raises OSError where the port cannot be had."""
    runner = web.AppRunner(
        application(books, api_key=os.environ.get("DEMO_API_KEY") or None),
        access_log=None,
        shutdown_timeout=GRACE_SECONDS,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port).start()
        port = runner.addresses[0][1]
        host = f"[{options.host}]" if ":" in options.host else options.host
        print(f"demo business API on http://{host}:{port}", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


def main() -> int:
    """Run the program; the exit status is 0 after a clean stop and 1 where it could not start."""
    options = arguments()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        books = Books(options.data, seed=options.seed, today=options.today)
    except BooksUnusable as error:
        print(error, file=sys.stderr)
        return 1
    try:
        asyncio.run(serve(options, books))
    except OSError as error:
        print(_why_not_listening(error, options), file=sys.stderr)
        return 1
    finally:
        books.close()
    return 0


def _why_not_listening(error: OSError, options: argparse.Namespace) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {options.port} is already in use. Stop the other program or choose another --port."
    reason = error.strerror or error
    return f"The demo business API cannot listen on {options.host}, port {options.port}: {reason}."


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 0 to {LAST_PORT}")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day: write it as YYYY-MM-DD") from None


if __name__ == "__main__":
    sys.exit(main())
