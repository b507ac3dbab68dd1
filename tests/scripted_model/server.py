"""The HTTP side: chat completions, the list of models, and the script that says what they answer."""

import asyncio
import json
import time
from collections import deque
from typing import Any

from aiohttp import web

from tests.scripted_model import thumb, wire
from tests.scripted_model.asked import Asked
from tests.scripted_model.prompt_cache import PromptCache
from tests.scripted_model.script import BadScript, Reply, Rule, parse

SSE = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
KEPT_HEADERS = ("authorization", "api-key", "user-agent", "x-stainless-retry-count")


class ScriptedModel:
    """The rules in force and the newest requests. Nothing else is remembered from one request to the next."""

    def __init__(self, keep: int) -> None:
        self.rules: list[Rule] = []
        self.cache = PromptCache()
        self.requests: deque[dict[str, Any]] = deque(maxlen=keep)

    def reply_to(self, asked: Asked) -> Reply:
        for rule in self.rules:
            if rule.fits(asked):
                rule.used += 1
                return rule.reply
        return thumb.reply_to(asked)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        received = time.monotonic()
        asked = Asked(json.loads(await request.read()))
        asked.cached_tokens = self.cache.look_up(asked.beginning_first)
        record: dict[str, Any] = {
            "path": request.path_qs,
            "headers": {name: request.headers[name] for name in KEPT_HEADERS if name in request.headers},
            "body": asked.body,
            "prompt_tokens": asked.prompt_tokens,
            "cached_tokens": asked.cached_tokens,
            "received": received,  # seconds of the machine's monotonic clock, like the next ones
            "first_piece": None,
            "finished": None,
        }
        self.requests.append(record)
        reply = self.reply_to(asked)
        if reply.delay_ms:
            await asyncio.sleep(reply.delay_ms / 1000)
        record["first_piece"] = time.monotonic()
        response = await _answer(request, asked, reply)
        record["finished"] = time.monotonic()
        return response

    async def set_script(self, request: web.Request) -> web.Response:
        try:
            self.rules = parse(json.loads(await request.read()))
        except (BadScript, ValueError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=422)
        return web.json_response({"rules": len(self.rules)})

    async def list_requests(self, request: web.Request) -> web.Response:
        """All that is remembered; `?summary=1` leaves the bodies out."""
        brief = "summary" in request.query
        listed = [{**item, "body": None} if brief else item for item in self.requests]
        return web.json_response(listed)

    async def forget_requests(self, request: web.Request) -> web.Response:
        self.requests.clear()
        self.cache = PromptCache()
        return web.json_response({"forgotten": True})


async def list_models(request: web.Request) -> web.Response:
    entry = {"id": "scripted", "object": "model", "created": 0, "owned_by": "tests"}
    return web.json_response({"object": "list", "data": [entry]})


async def _answer(request: web.Request, asked: Asked, reply: Reply) -> web.StreamResponse:
    if reply.error is not None:
        return _refusal(reply.error)
    if reply.malformed:
        kind = SSE["Content-Type"] if asked.stream else "application/json"
        return web.Response(body=b'data: {"id": "chatcmpl-1", "choi\n\n', headers={"Content-Type": kind})
    if not asked.stream:
        return web.json_response(wire.completion(asked, reply))
    parts = wire.pieces(asked, reply)
    if _all_at_once(reply):
        return web.Response(body=b"".join(parts) + wire.DONE, headers=SSE)
    return await _stream(request, reply, parts)


def _all_at_once(reply: Reply) -> bool:
    """Nothing of it takes time: one write instead of forty, so that a benchmark measures its own side."""
    oddities = (reply.token_delay_ms, reply.hang, reply.in_stream_error)
    return not any(oddities) and reply.drop_after is None and reply.end_after is None


async def _stream(request: web.Request, reply: Reply, parts: list[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers=SSE)
    await response.prepare(request)
    for number, part in enumerate(parts):
        if reply.drop_after == number:
            assert request.transport is not None
            request.transport.abort()
            return response
        if reply.end_after == number:
            return response
        await response.write(part)
        if reply.hang:
            await asyncio.Event().wait()  # ends when the client hangs up: the server cancels the handler
        if reply.token_delay_ms:
            await asyncio.sleep(reply.token_delay_ms / 1000)
    if reply.in_stream_error is not None:
        await response.write(b"data: " + json.dumps({"error": reply.in_stream_error}).encode() + b"\n\n")
    await response.write(wire.DONE)
    return response


def _refusal(error: dict[str, Any]) -> web.Response:
    status = int(error.get("status", 500))
    headers = {"Retry-After": str(error["retry_after"])} if "retry_after" in error else {}
    if "body" in error:
        return web.Response(status=status, text=error["body"], headers=headers)
    content = {
        "message": error.get("message", f"Scripted error {status}"),
        "type": "scripted",
        "code": error.get("code"),
    }
    return web.json_response({"error": content}, status=status, headers=headers)


def application(*, keep: int = 2000) -> web.Application:
    model = ScriptedModel(keep)
    app = web.Application(client_max_size=32 * 1024 * 1024)
    for prefix in ("/v1", "/openai/deployments/{deployment}"):  # OpenAI's paths and Azure's
        app.router.add_post(f"{prefix}/chat/completions", model.complete)
    app.router.add_get("/v1/models", list_models)
    app.router.add_put("/_script", model.set_script)
    app.router.add_get("/_requests", model.list_requests)
    app.router.add_delete("/_requests", model.forget_requests)
    return app
