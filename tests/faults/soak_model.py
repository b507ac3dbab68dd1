"""The model of the soak and of the control: `python -m tests.faults.soak_model [--token-delay-ms N] [--attached]`.

It does what the newest message asks for, in whole and in order, with the arguments that stand in it, so that every
effect can be traced to the words that asked for it. Like a real provider it refuses a history that cannot be: a tool
call without its result, or a result without its call. `GET /_refused` tells how often that was.
"""

import argparse
import asyncio
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tests.scripted_model import fill, server, thumb
from tests.scripted_model.asked import Asked
from tests.scripted_model.script import Reply
from tests.scripted_model.server import ScriptedModel

ANSWER = (
    "Thank you for waiting. I have looked at this for you, and what you asked for is shown above. Is there "
    "anything else that I can do for you today?"
)
WANTED: tuple[tuple[str, str, Callable[[re.Match[str]], dict[str, Any]]], ...] = (
    (r"status of order (\d+)", "get_order_status", lambda found: {"order_id": int(found[1])}),
    (r"[Cc]ancel order (\d+)", "cancel_order", lambda found: {"order_id": int(found[1])}),
    (
        r"(\d+)% discount on order (\d+)",
        "apply_discount",
        lambda found: {"order_id": int(found[2]), "percent": int(found[1])},
    ),
    (
        r"coupon for (\d+)% that lasts (\d+) days",
        "generate_coupon",
        lambda found: {"discount_percent": int(found[1]), "expiry_days": int(found[2])},
    ),
    (
        r"[Ss]end order (\d+) to (.+? Street, Dublin)",
        "change_delivery_address",
        lambda found: {"order_id": int(found[1]), "address": found[2]},
    ),
)
"""What a message can ask for: how it is said, the tool that does it, and its arguments."""
AGENTS = {
    "get_order_status": "order_lookup",
    "cancel_order": "order_actions",
    "change_delivery_address": "order_actions",
    "apply_discount": "discount",
    "generate_coupon": "discount",
}


def wanted(text: str) -> list[tuple[str, dict[str, Any]]]:
    """The calls [(tool, arguments)] that a message asks for, in the order in which it does."""
    found = [
        (match.start(), tool, arguments(match))
        for pattern, tool, arguments in WANTED
        for match in re.finditer(pattern, text)
    ]
    return [(tool, arguments) for _, tool, arguments in sorted(found, key=lambda item: item[0])]


def impossible(messages: list[dict[str, Any]]) -> str:
    """Why a provider would refuse these messages; empty for a history that can be."""
    open_calls: list[str] = []
    for message in messages:
        role = message.get("role")
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                return (
                    "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                )
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            break
        if role == "assistant":
            open_calls = [call["id"] for call in message.get("tool_calls") or []]
    if open_calls:
        return (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(open_calls)}"
        )
    return ""


class LiteralModel(ScriptedModel):
    """Rules first, where a script was put into force; then what the newest message literally asks for."""

    def __init__(self, keep: int, token_delay_ms: float) -> None:
        super().__init__(keep)
        self.token_delay_ms = token_delay_ms
        self.refused: list[str] = []

    def reply_to(self, asked: Asked) -> Reply:
        for rule in self.rules:
            if rule.fits(asked):
                rule.used += 1
                return rule.reply
        if asked.schema is not None:
            return _routed(asked) or thumb.reply_to(asked)
        made = _made_since_last_user(asked.messages)
        calls = [
            {"name": tool, "args": arguments}
            for tool, arguments in wanted(asked.last_user)
            if tool in asked.tool_names and (tool, arguments) not in made
        ]
        if calls:
            return Reply(tool_calls=calls)
        return Reply(text=ANSWER, token_delay_ms=self.token_delay_ms)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        why = impossible(Asked(json.loads(await request.read())).messages)
        if why:
            self.refused.append(why)
            error = {"message": why, "type": "invalid_request_error", "param": "messages", "code": None}
            return web.json_response({"error": error}, status=400)
        return await super().complete(request)

    async def list_refused(self, request: web.Request) -> web.Response:
        return web.json_response(self.refused)


def _routed(asked: Asked) -> Reply | None:
    """The agents whose tools do what is wanted; None where nothing is, or they are not on the list."""
    assert asked.schema is not None
    on_offer = fill.enum_named(asked.schema, "agent")
    agents = list(dict.fromkeys(AGENTS[tool] for tool, _ in wanted(asked.last_user)))
    if not agents or not set(agents) <= set(on_offer):
        return None
    known = {"intents": [{"agent": agent} for agent in agents], "confidence": 0.9, "why": "It asks for it."}
    known |= {
        "wants_person": False,
        "person_reason": "",
        "question": "",
        "reason": "The message asks for it.",
    }
    return Reply(json=fill.from_schema(asked.schema, known))


def _made_since_last_user(messages: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    made: list[tuple[str, dict[str, Any]]] = []
    for message in messages:
        if message.get("role") == "user":
            made = []
        for call in message.get("tool_calls") or []:
            made.append((call["function"]["name"], json.loads(call["function"]["arguments"])))
    return made


def application(*, token_delay_ms: float) -> web.Application:
    model = LiteralModel(100, token_delay_ms)
    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.router.add_post("/v1/chat/completions", model.complete)
    app.router.add_get("/v1/models", server.list_models)
    app.router.add_put("/_script", model.set_script)
    app.router.add_get("/_requests", model.list_requests)
    app.router.add_delete("/_requests", model.forget_requests)
    app.router.add_get("/_refused", model.list_refused)
    return app


async def serve(token_delay_ms: float, attached: bool) -> None:
    """Serve on a free port until told to stop; `attached`, also until standard input closes."""
    runner = web.AppRunner(application(token_delay_ms=token_delay_ms), access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    if attached:
        loop.add_reader(sys.stdin, lambda: None if os.read(sys.stdin.fileno(), 1) else end.set())
    print(f"Literal model: http://127.0.0.1:{runner.addresses[0][1]}/v1", flush=True)
    await end.wait()
    await runner.cleanup()


def main() -> None:
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # clients that are killed hang up
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak_model", description=__doc__)
    parser.add_argument("--token-delay-ms", type=float, default=0.0, help="between two pieces of an answer")
    parser.add_argument("--attached", action="store_true", help="stop when standard input closes")
    options = parser.parse_args()
    asyncio.run(serve(options.token_delay_ms, options.attached))


if __name__ == "__main__":
    main()
