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
PATIENCE_SECONDS = 60


class ScriptedModel:
    """The rules in force, the newest requests and the answers that are held. Nothing else is remembered from one
    request to the next."""

    def __init__(self, keep: int) -> None:
        self.rules: list[Rule] = []
        self.cache = PromptCache()
        self.requests: deque[dict[str, Any]] = deque(maxlen=keep)
        self.held: list[asyncio.Event] = []  # the one held longest first
        self._more_held = asyncio.Condition()

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
        if reply.hold is not None and not (asked.stream and reply.hold):
            await self.hold()
        if reply.delay_ms:
            await asyncio.sleep(reply.delay_ms / 1000)
        record["first_piece"] = time.monotonic()
        response = await self._answer(request, asked, reply)
        record["finished"] = time.monotonic()
        return response

    async def hold(self) -> None:
        """Returns when a test lets go. Whoever hangs up is not held any more."""
        let_go = asyncio.Event()
        self.held.append(let_go)
        async with self._more_held:
            self._more_held.notify_all()
        try:
            await let_go.wait()
        finally:
            if let_go in self.held:
                self.held.remove(let_go)

    async def wait_until_held(self, request: web.Request) -> web.Response:
        """Answers as soon as `?least=n` answers are held; 504 where that does not come."""
        least = int(request.query.get("least", "1"))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._more_held:
                await self._more_held.wait_for(lambda: len(self.held) >= least)
        except TimeoutError:
            return web.json_response({"held": len(self.held)}, status=504)
        return web.json_response({"held": len(self.held)})

    async def release(self, request: web.Request) -> web.Response:
        """Let go of what is held now, or of the `?count=n` that have been held longest."""
        count = int(request.query.get("count", len(self.held)))
        released, self.held = self.held[:count], self.held[count:]
        for let_go in released:
            let_go.set()
        return web.json_response({"released": len(released)})

    async def _answer(self, request: web.Request, asked: Asked, reply: Reply) -> web.StreamResponse:
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
        return await self._stream(request, reply, parts)

    async def _stream(self, request: web.Request, reply: Reply, parts: list[bytes]) -> web.StreamResponse:
        response = web.StreamResponse(headers=SSE)
        await response.prepare(request)
        for number, part in enumerate(parts):
            if reply.drop_after == number:
                assert request.transport is not None
                request.transport.abort()
                return response
            if reply.end_after == number:
                return response
            if reply.hold and reply.hold == number:
                await self.hold()
            await response.write(part)
            if reply.hang:
                await asyncio.Event().wait()  # ends when the client hangs up: the server cancels the handler
            if reply.token_delay_ms:
                await asyncio.sleep(reply.token_delay_ms / 1000)
        if reply.hold and reply.hold >= len(parts):
            await self.hold()
        if reply.in_stream_error is not None:
            await response.write(b"data: " + json.dumps({"error": reply.in_stream_error}).encode() + b"\n\n")
        await response.write(wire.DONE)
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


def _all_at_once(reply: Reply) -> bool:
    """Nothing of it takes time: one write instead of forty, so that a benchmark measures its own side."""
    oddities = (reply.token_delay_ms, reply.hang, reply.in_stream_error, reply.hold)
    return not any(oddities) and reply.drop_after is None and reply.end_after is None


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
    app.router.add_get("/_held", model.wait_until_held)
    app.router.add_post("/_release", model.release)
    app.router.add_get("/_requests", model.list_requests)
    app.router.add_delete("/_requests", model.forget_requests)
    return app
