"""The page behind a link in a real browser without scripts, as whoever gets one in a message opens it; and the dialog
in which one is made."""

import re
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from agents import approvals
from agents.links import making
from agents.models import Action, ApprovalLink
from tests import one_browser, rows
from tests.admin.test_browser import PHONE, staff_browser

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_decision_on_a_phone_without_scripts_or_an_account(live_server: Any, settings: Any) -> None:
    settings.APPROVAL_LINKS_WITHOUT_ACCOUNT = True
    action = rows.waiting_for_staff(order_id="1042", percent=10, note="A long reason " * 20)
    maker = approvals.Decider.of(rows.staff("nina", "agents.decide_action"))
    _, token = making.make(action_id=action.pk, person=making.Person(name="Vera Stone"), by=maker)
    asked: list[str] = []

    with one_browser.opened() as browser:
        page = browser.new_context(viewport=PHONE, java_script_enabled=False, color_scheme="dark").new_page()
        page.on("request", lambda request: asked.append(request.headers.get("referer", "")))
        page.goto(live_server.url + reverse("approval-link", args=[token]))
        assert page.locator("main").bounding_box()["width"] <= PHONE["width"]  # type: ignore[index]
        page.get_by_role("button", name="Decline").click()
        expect(page.get_by_role("alert")).to_contain_text("Say why you decline")
        page.get_by_label("Why, if you decline").fill("Not covered.")
        page.get_by_role("button", name="Decline").click()
        expect(page.get_by_text("You declined it.")).to_be_visible()
        page.goto(live_server.url + reverse("approval-link", args=[token]))
        expect(page.get_by_role("heading", name="This link was used")).to_be_visible()

    action.refresh_from_db()
    assert (action.status, action.reason) == ("rejected", "Not covered.")
    assert not any(token in referrer for referrer in asked)


def test_a_link_is_made_in_the_dialog_and_leads_to_the_decision(live_server: Any) -> None:
    vera = rows.staff("vera", "agents.decide_action", "agents.view_action")
    action = rows.waiting_for_staff()
    page_of = reverse("admin:agents_action_change", args=[action.pk])

    with staff_browser(live_server, vera, reduced_motion="reduce") as (page, faults):
        page.goto(page_of)
        page.get_by_role("link", name=re.compile("Make a link")).or_(
            page.get_by_role("button", name=re.compile("Make a link"))
        ).first.click()
        page.get_by_label("Member of staff").select_option("vera")
        page.get_by_role("button", name="Make the link").click()
        url = page.locator("code", has_text="/decide/").inner_text()
        page.goto(url)
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_text("You approved it.")).to_be_visible()
        assert faults == []

    decided = Action.objects.get(pk=action.pk)
    assert (decided.status, decided.decided_by_name) == ("approved", "vera, by link")
    assert ApprovalLink.objects.get().decision == "approved"
