"""The five scenes of the demonstration, played in their order: what the page says to type is typed, and what it says is
seen is looked for. Clicks in the console are made over the API here; other tests make them in a browser."""

import re

import pytest

from tests.docs import pages
from tests.docs.world import World
from tests.live.chatter import Chatter, Frame, token_for

pytestmark = pytest.mark.xdist_group("docs")
PAGE = "docs/demo-script.md"
SCENE = re.compile(r"^## Scene (\d): .*\n((?:(?!^## ).*\n)+)", re.MULTILINE)
STEP = re.compile(r"\*\*(Type|Seen|Click|Say)\*\*:?((?:(?!\*\*(?:Type|Seen|Click|Say)\*\*).|\n)*)")


def _scenes() -> dict[int, list[tuple[str, list[str], str]]]:
    """{number: [(what to do, the texts in code, the whole sentence)]}"""
    return {
        int(number): [(kind, pages.CODE.findall(told), told) for kind, told in STEP.findall(text)]
        for number, text in SCENE.findall(pages.text(PAGE))
    }


def _text(frames: list[Frame]) -> str:
    words = ("content", "message", "title", "action", "tool", "resolution")
    return "\n".join(str(frame[word]) for frame in frames for word in words if frame.get(word))


def test_there_are_five_scenes_and_each_links_to_what_explains_it() -> None:
    scenes = dict(SCENE.findall(pages.text(PAGE)))

    assert list(scenes) == ["1", "2", "3", "4", "5"]
    for scene, text in scenes.items():
        assert {"Type", "Seen", "Say"} <= {kind for kind, _ in STEP.findall(text)}, scene
        assert re.search(r"\]\([\w-]+\.md", text), scene


async def test_the_scenes_are_played(world: World) -> None:
    stores = [row["name"] for row in world.stack.api.get("/openapi/sources").json()["data"]["sources"]]
    for name in stores:
        if name != "demo-business":
            world.stack.api.delete(f"/openapi/sources/{name}").raise_for_status()
    world.rest()
    async with Chatter(world.stack.socket_url, token=token_for("cus_1001")) as customer:
        for steps in _scenes().values():
            frames: list[Frame] = []
            for kind, codes, told in steps:
                if kind == "Type":
                    frames = await customer.say(codes[0])
                elif kind == "Click":
                    frames += await _click(world, customer, told, codes, frames)
                elif kind == "Seen":
                    for code in codes:
                        assert code in _text(frames), f"{code!r} is not seen after {steps}"
                    if "no store" in told:
                        assert "Torstrasse" not in _text(frames)

    assert _effects(world, "cancel_order", 1042) == 1
    assert _effects(world, "apply_discount", 1043) == 1


def _effects(world: World, operation: str, order: int) -> int:
    return sum(f"/orders/{order}/" in entry["path"] for entry in world.stack.journal(operation))


async def _click(
    world: World, customer: Chatter, told: str, codes: list[str], frames: list[Frame]
) -> list[Frame]:
    """What a click does, and what the chat gets of it."""
    api, thread = world.stack.api, f"/conversations/{customer.thread_id}"
    if told.strip().startswith("Approve"):
        return await customer.answer(True, interrupt_id=frames[-1]["interrupt_id"])
    if "**Approve** in the dialog" in told:
        [waiting] = [
            row
            for row in api.get("/interrupts?status=awaiting&per_page=100").json()["data"]["interrupts"]
            if row["interrupt_id"] == frames[-1]["interrupt_id"]
        ]
        assert waiting["message"] == codes[0]
        api.post(
            f"/interrupts/{waiting['interrupt_id']}/decision", json={"approved": True}
        ).raise_for_status()
        return await customer.until("message_complete")
    if "**Take over**" in told:
        assert api.get(thread).json()["data"]["status"] == "waiting"
        api.post(f"{thread}/takeover").raise_for_status()
        api.post(f"{thread}/staff-messages", json={"content": codes[0]}).raise_for_status()
        seen = await customer.until("staff_message")
        await customer.message("Is anybody there?")
        assert codes[0] in _text(seen)
        accepted = await customer.until("accepted")
        assert accepted[-1]["turn_id"] is None
        return seen + accepted
    if "**Hand back**" in told:
        api.post(f"{thread}/handback").raise_for_status()
        return []
    if "Import an API**" in told:
        document = (world.folder / "openapi.yaml").read_text()
        world.to_review = world.imported(text=document, name=codes[1])
        return []
    if "**Review the operations**" in told:
        rows = api.get(f"/openapi/jobs/{world.to_review}/classifications").json()["data"]["classifications"]
        return [{"type": "row", "content": f"{row['name']} {row['access_type']}"} for row in rows]
    assert "**Publish**" in told
    api.post(f"/openapi/jobs/{world.to_review}/approve").raise_for_status()
    return []
