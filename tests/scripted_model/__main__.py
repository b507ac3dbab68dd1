"""`python -m tests.scripted_model [--port N] [--keep N] [--attached]`: serve until told to stop.

Prints one line with the URL that goes into OPENAI_BASE_URL. `--attached` also stops it when its standard
input closes, so that it never outlives the program that started it, however that one ended.
"""

import argparse
import asyncio
import os
import signal
import sys

from aiohttp import web

from tests.scripted_model.server import application


async def serve(port: int, keep: int, attached: bool) -> None:
    # With `handler_cancellation` an answer that nobody waits for any more is not held, and does not hang for ever.
    runner = web.AppRunner(
        application(keep=keep), access_log=None, shutdown_timeout=0.2, handler_cancellation=True
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    assert site._server is not None
    bound = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    if attached:
        loop.add_reader(sys.stdin, lambda: None if os.read(sys.stdin.fileno(), 1) else stopped.set())
    print(f"Scripted model: http://127.0.0.1:{bound}/v1", flush=True)
    await stopped.wait()
    await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.scripted_model", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--keep", type=int, default=2000, help="how many requests to remember")
    parser.add_argument("--attached", action="store_true", help="stop when standard input closes")
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.keep, options.attached))


if __name__ == "__main__":
    main()
