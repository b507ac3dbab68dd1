"""An answer that is held comes when the test lets go of it, and not before."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.live.stack import until
from tests.scripted_model.fixture import RunningModel

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "Where is it?"}]}


@pytest.fixture
def client(scripted_model: RunningModel) -> Any:
    with httpx.Client(base_url=scripted_model.url, trust_env=False, timeout=60) as client:
        yield client


@pytest.mark.parametrize("stream", [True, False])
def test_before_the_first_byte(scripted_model: RunningModel, client: httpx.Client, stream: bool) -> None:
    scripted_model.script({"reply": {"text": "On its way.", "hold": 0}})
    with ThreadPoolExecutor(2) as beside:
        asking = [
            beside.submit(client.post, "/chat/completions", json={**QUESTION, "stream": stream})
            for _ in range(2)
        ]
        scripted_model.holds(2)
        assert [asked["first_piece"] for asked in scripted_model.requests()] == [None, None]

        scripted_model.release(1)
        scripted_model.holds(1)
        let_go = time.monotonic()
        scripted_model.release()

        assert all("way." in asked.result().text for asked in asking)
    came = sorted(asked["first_piece"] for asked in scripted_model.requests())
    assert came[0] < let_go <= came[1]


def test_between_two_pieces(scripted_model: RunningModel, client: httpx.Client) -> None:
    scripted_model.script({"reply": {"chunks": ["One", "Two"], "hold": 2}})
    with client.stream("POST", "/chat/completions", json={**QUESTION, "stream": True}) as answer:
        lines = (line.removeprefix("data: ") for line in answer.iter_lines() if line)
        assert [json.loads(next(lines))["choices"][0]["delta"].get("content") for _ in range(2)] == [
            "",
            "One",
        ]
        scripted_model.holds()
        assert scripted_model.requests()[0]["finished"] is None

        scripted_model.release()
        assert json.loads(next(lines))["choices"][0]["delta"]["content"] == "Two"
        assert list(lines)[-1] == "[DONE]"


def test_after_the_last_piece(scripted_model: RunningModel, client: httpx.Client) -> None:
    scripted_model.script({"reply": {"text": "One", "hold": 99}})
    with client.stream("POST", "/chat/completions", json={**QUESTION, "stream": True}) as answer:
        lines = (line.removeprefix("data: ") for line in answer.iter_lines() if line)
        while json.loads(next(lines))["choices"][0]["finish_reason"] is None:
            pass
        scripted_model.holds()
        scripted_model.release()
        assert list(lines) == ["[DONE]"]


def test_whoever_hangs_up_is_held_no_more(scripted_model: RunningModel, client: httpx.Client) -> None:
    scripted_model.script(
        {"reply": {"text": "Never", "hold": 0}, "times": 1}, {"reply": {"text": "Here", "hold": 1}}
    )
    with ThreadPoolExecutor(1) as beside:
        asking = beside.submit(
            client.post, "/chat/completions", json=QUESTION, timeout=httpx.Timeout(30, read=0.2)
        )
        with pytest.raises(httpx.ReadTimeout):
            asking.result()
    until(lambda: scripted_model.holds(0) == 0)
    with client.stream("POST", "/chat/completions", json={**QUESTION, "stream": True}) as answer:
        scripted_model.holds(1)
        scripted_model.release(1)  # the only one
        assert "Here" in answer.read().decode()
