"""A model that cannot answer, over the wire: what went wrong, in one small taxonomy and without secrets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from agents import providers
from agents.providers import ModelUnavailable, as_outage
from agents.providers.outages import FOR_STAFF

SECRET = "sk-very-secret"


@pytest.fixture
def patience() -> float:
    """How many seconds of silence are too long; tests of that have less."""
    return 60.0


@pytest.fixture
async def model(settings, scripted_model, patience) -> AsyncIterator[Any]:
    settings.LLM_PROVIDER = "openai"
    settings.OPENAI_API_KEY = SECRET
    settings.OPENAI_BASE_URL = scripted_model.url
    settings.LLM_TIMEOUT_SECONDS = patience
    yield providers.chat_model()
    await providers.close_models()


async def outage_of(call) -> ModelUnavailable:
    with pytest.raises(Exception) as raised:  # noqa: PT011  which class it is, is what as_outage is for
        await call
    outage = as_outage(raised.value)
    assert outage is not None, repr(raised.value)
    assert outage.detail.startswith(FOR_STAFF[outage.kind])
    assert SECRET not in outage.detail + outage.message + str(outage.extra)
    return outage


async def words(model) -> list[str]:
    return [piece.text async for piece in model.astream("Hello")]


@pytest.mark.parametrize("how", ["stream", "whole"])
@pytest.mark.parametrize(
    ("status", "kind", "attempts"),
    [
        (400, "bad_request", 1),
        (401, "refused_credentials", 1),
        (403, "refused_credentials", 1),
        (404, "bad_request", 1),
        (429, "rate_limited", 2),
        (500, "server_error", 2),
        (503, "server_error", 2),
    ],
)
async def test_a_refusal_is_classified_and_only_a_passing_one_is_asked_again(
    model, scripted_model, how, status, kind, attempts
):
    error = {"status": status, "message": f"Incorrect API key provided: {SECRET}", "retry_after": 0.01}
    scripted_model.script({"reply": {"error": error}})

    outage = await outage_of(words(model) if how == "stream" else model.ainvoke("Hello"))

    assert (outage.kind, outage.http_status) == (kind, status)
    assert len(scripted_model.requests()) == attempts


async def test_a_passing_failure_is_not_noticed(model, scripted_model):
    scripted_model.script(
        {"match": {"nth": 1}, "reply": {"error": {"status": 429, "retry_after": 0.01}}},
        {"reply": {"text": "Here I am."}},
    )

    assert "".join(await words(model)) == "Here I am."
    assert len(scripted_model.requests()) == 2


async def test_a_body_that_is_not_json_does_not_hide_the_status(model, scripted_model):
    scripted_model.script(
        {"reply": {"error": {"status": 502, "body": "<html>Bad gateway</html>", "retry_after": 0.01}}}
    )

    assert (await outage_of(words(model))).kind == "server_error"


@pytest.mark.parametrize("how", ["stream", "whole"])
async def test_an_answer_that_is_no_completion(model, scripted_model, how):
    scripted_model.script({"reply": {"malformed": True}})

    outage = await outage_of(words(model) if how == "stream" else model.ainvoke("Hello"))

    assert outage.kind == "server_error"


@pytest.mark.parametrize("patience", [0.4])
async def test_silence_before_the_first_byte(model, scripted_model):
    scripted_model.script({"reply": {"text": "Too late.", "delay_ms": 60_000}})

    assert (await outage_of(words(model))).kind == "timeout"


@pytest.mark.parametrize("patience", [2.0])
async def test_silence_in_mid_answer_is_not_asked_again(model, scripted_model):
    scripted_model.script({"reply": {"text": "One two.", "hang": True}})

    assert (await outage_of(words(model))).kind == "timeout"
    assert len(scripted_model.requests()) == 1


@pytest.mark.parametrize("cut", ["drop_after", "end_after"])
async def test_a_stream_that_breaks_off_is_an_outage_and_is_not_repeated(model, scripted_model, cut):
    scripted_model.script({"reply": {"text": "One two three four.", "token_delay_ms": 1, cut: 3}})
    seen: list[str] = []

    async def reading() -> None:
        async for piece in model.astream("Hello"):
            seen.append(piece.text)

    outage = await outage_of(reading())

    assert outage.kind == "unreachable"
    assert "".join(seen) == "One two"
    assert len(scripted_model.requests()) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "Too many", "code": "rate_limit_exceeded"}, "rate_limited"),
        ({"message": "Overloaded", "code": "overloaded"}, "server_error"),
    ],
)
async def test_an_error_reported_inside_the_stream(model, scripted_model, error, kind):
    scripted_model.script({"reply": {"text": "One", "in_stream_error": error}})

    assert (await outage_of(words(model))).kind == kind


async def test_nobody_listens(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else can take it
        settings.LLM_PROVIDER = "openai"
        settings.OPENAI_API_KEY = SECRET
        settings.OPENAI_BASE_URL = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"

        assert (await outage_of(words(providers.chat_model()))).kind == "unreachable"
        await providers.close_models()


async def test_a_failed_structured_call_is_an_outage_too(model, scripted_model):
    scripted_model.script({"reply": {"error": {"status": 401}}})
    schema = {"title": "T", "type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}

    outage = await outage_of(model.with_structured_output(schema, include_raw=True).ainvoke("Hello"))

    assert outage.kind == "refused_credentials"


@pytest.mark.parametrize("patience", [2.0])
async def test_a_slow_answer_that_keeps_coming_is_no_outage(model, scripted_model):
    """Six gaps of 400 ms are longer together than the limit; none alone is."""
    scripted_model.script({"reply": {"text": "a b c d e", "token_delay_ms": 400}})

    assert "".join(await words(model)) == "a b c d e"


async def test_stopping_in_mid_answer_gives_the_connection_back(model, scripted_model):
    scripted_model.script(
        {"match": {"nth": 1}, "reply": {"text": "One two.", "hang": True}}, {"reply": {"text": "Next."}}
    )
    first = asyncio.Event()

    async def reading() -> None:
        async for _ in model.astream("Hello"):
            first.set()

    task = asyncio.create_task(reading())
    await first.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert "".join(await words(model)) == "Next."


@pytest.mark.parametrize(
    "error",
    [ValueError("a bug"), KeyError("x"), RuntimeError("boom"), asyncio.CancelledError(), TimeoutError()],
)
def test_what_is_not_the_providers_fault_is_nobodys_outage(error):
    assert as_outage(error) is None


def test_other_libraries_are_recognised_by_their_type_or_status():
    class APIStatusError(Exception):
        status_code = 529

    class ClientError(Exception):
        code = 403

    APIStatusError.__module__ = "anthropic._exceptions"
    ClientError.__module__ = "google.genai.errors"
    wrapped = RuntimeError("wrapped")
    wrapped.__cause__ = httpx.ConnectError("refused")

    assert as_outage(APIStatusError()).kind == "server_error"
    assert as_outage(ClientError()).kind == "refused_credentials"
    assert as_outage(wrapped).kind == "unreachable"
    assert as_outage(httpx.ReadTimeout("slow")).kind == "timeout"
