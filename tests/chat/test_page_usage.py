"""The chat page and a customer's limit: how much is used, from where it matters on, and when it begins anew."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.chat.page_server import Peer, Visitor

pytestmark = pytest.mark.browser


def accept(peer: Peer, seq: int, **more: Any) -> None:
    """As the server takes a message, with what else it tells of it."""
    asked = peer.receive("message")
    known = {"client_message_id": asked["client_message_id"], "turn_id": f"t{seq}", "position": 0}
    peer.send("accepted", thread_id=asked["thread_id"], seq=seq, **known, **more)
    peer.send("message_complete", seq=seq + 1, turn_id=f"t{seq}", status="completed")


def test_what_is_used_of_a_limit_stands_below_the_box_and_goes_away(visitor: Visitor, page: Page) -> None:
    peer, line = visitor.open(), page.locator("#usage")
    tomorrow = datetime.now(UTC) + timedelta(hours=26)

    visitor.say("First")
    accept(peer, 1)
    visitor.is_accepted(1)
    expect(line).to_be_hidden()
    visitor.say("Second")
    accept(peer, 3, usage={"percent": 85, "resets_at": tomorrow.isoformat()})
    expect(line).to_contain_text("You have used 85 % of your limit. It begins anew on ")
    assert "$" not in line.inner_text()
    visitor.say("Third")
    accept(peer, 5)

    expect(line).to_be_hidden()


def test_a_message_that_waited_until_the_limit_was_reached_says_so(visitor: Visitor, page: Page) -> None:
    peer = visitor.open()
    resets_at = (datetime.now(UTC) + timedelta(hours=26)).isoformat()
    visitor.say("Am I late?")
    peer.accept(1, "t1", position=1)

    told = {"code": "usage_limit_reached", "message": "Usage limit reached", "retriable": True}
    peer.send("error", seq=2, turn_id="t1", **told, resets_at=resets_at)
    peer.send("message_complete", seq=2, turn_id="t1", status="failed")

    expect(visitor.log.get_by_text("because you have reached the usage limit.")).to_contain_text(
        "You can try again on "
    )
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
