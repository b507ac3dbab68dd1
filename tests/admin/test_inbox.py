"""The approvals inbox: what it lists and says, how it follows what others decide, and deciding several at once."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agents import approvals, facts
from agents.admin import inbox_rows
from agents.models import Action, Tool
from chat.models import Event, Turn
from smartsupport.lib import presence
from tests import rows

pytestmark = pytest.mark.django_db

LIST = "/admin/agents/action/"
LIVE = f"{LIST}live/"
SEES = ("agents.view_action", "chat.view_conversation", "chat.view_customer")
NINA = approvals.Decider("staff", "nina", id="user:0")
NINA_TOO = approvals.Decider("staff", "nina", id="user:-1")


@pytest.fixture
def sam(client: Client) -> Client:
    """An approver."""
    client.force_login(rows.staff("sam", *SEES, "agents.decide_action"))
    return client


@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(rows.staff("vera", *SEES))
    return client


def listed(answer: Any) -> list[str]:
    return [row.action.args["order_id"] for row in answer.context["rows"]]


def live(client: Client, **asked: str) -> Any:
    return client.get(LIVE, asked)


def many(client: Client, how: str, actions: list[Action], **form: str) -> Any:
    """Post what the dialog that lists these calls posts."""
    ids = "&".join(f"id={action.pk}" for action in actions)
    seen = {f"seen-{action.pk}": action.arguments_hash for action in actions}
    return client.post(f"{LIST}many/{how}/?{ids}", {**seen, **form}, headers={"HX-Request": "true"})


def outcomes(answer: Any) -> list[tuple[bool, str]]:
    return [(outcome.ok, outcome.words) for outcome in answer.context["outcomes"]]


def two_people() -> None:
    """The tool asks for two people from now on, and what waits does, too."""
    Tool.objects.update(approvals_needed=2)
    for action in Action.objects.select_related("tool"):
        action.approvals_needed, action.tool_fingerprint = 2, action.tool.fingerprint()
        action.arguments_hash = action.expected_hash()
        action.save()


def test_every_filter_lists_what_it_says(sam: Client) -> None:
    plain = rows.waiting_for_staff(order_id="1")
    other = rows.tool("close_account", approval="staff", risk="destructive")
    old = rows.action(rows.turn(rows.customer(name="Grace Hop")), other, order_id="2")
    Action.objects.filter(pk=old.pk).update(agent="closer", created_at=timezone.now() - timedelta(minutes=20))
    voted = rows.waiting_for_staff(order_id="3")
    mine = {"id": f"user:{sam.session['_auth_user_id']}", "name": "sam", "at": ""}
    Action.objects.filter(pk=voted.pk).update(votes=[mine])
    asked = rows.waiting_for_staff(order_id="4")
    Turn.objects.filter(pk=asked.turn_id).update(asked_by=mine["id"])

    assert listed(sam.get(LIST)) == ["2", "1", "3", "4"]
    assert listed(sam.get(f"{LIST}?tool=close_account")) == ["2"]
    assert listed(sam.get(f"{LIST}?agent=closer")) == ["2"]
    assert listed(sam.get(f"{LIST}?older=15")) == ["2"]
    assert listed(sam.get(f"{LIST}?risk=money")) == ["1", "3", "4"]
    assert listed(sam.get(f"{LIST}?mine=yes")) == ["2", "1"]
    assert listed(sam.get(f"{LIST}?q=grace+hop")) == ["2"]
    assert listed(sam.get(f"{LIST}?q=order+1.")) == ["1"]
    nothing = sam.get(f"{LIST}?q=nobody")
    assert (listed(nothing), "Nothing matches" in nothing.content.decode()) == ([], True)
    assert listed(sam.get(f"{LIST}?risk=x&older=99&behind=never&mine=no")) == ["2", "1", "3", "4"]
    assert plain.tool_id != old.tool_id


def test_nothing_waits(sam: Client) -> None:
    page = sam.get(LIST).content.decode()

    assert "Nothing waits." in page
    assert 'id="inbox-empty" class="console-panel console-empty" >' in page


def test_the_decided_ones_go_by_keyset_and_are_found(sam: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_rows, "ROWS_A_PAGE", 2)
    for number in range(5):
        action = rows.waiting_for_staff(order_id=str(number))
        approvals.decide(action_id=action.pk, approved=False, by=NINA, reason="No.")
    waits = rows.waiting_for_staff(order_id="9")

    first = sam.get(f"{LIST}?which=decided")
    second = sam.get(f"{LIST}{first.context['further']}")
    third = sam.get(f"{LIST}{second.context['further']}")

    assert [listed(page) for page in (first, second, third)] == [["4", "3"], ["2", "1"], ["0"]]
    assert third.context["further"] == ""
    assert "Declined by nina: No." in first.content.decode()
    assert listed(sam.get(f"{LIST}?which=decided&q=order+0.")) == ["0"]
    monkeypatch.setattr(inbox_rows, "LOOKED_THROUGH", 3)
    short = sam.get(f"{LIST}?which=decided&q=order+0.")
    assert (listed(short), short.context["looked"]) == ([], True)
    assert listed(sam.get(f"{LIST}{short.context['further']}")) == ["0"]
    assert listed(sam.get(f"{LIST}?which=all"))[0] == waits.args["order_id"]


def test_how_urgent_it_is_stands_in_words(sam: Client, settings: Any) -> None:
    settings.INTERRUPT_TTL_MINUTES = 30
    for number, left in enumerate((29, 14, 5, -1)):
        action = rows.waiting_for_staff(order_id=str(number))
        until = timezone.now() + timedelta(minutes=left, seconds=30)
        Action.objects.filter(pk=action.pk).update(expires_at=until)

    page = sam.get(LIST)

    told = [(row.urgency_words, row.left) for row in page.context["rows"]]
    assert told == [
        ("New", "29 min left"),
        ("Waits long", "14 min left"),
        ("Expires soon", "5 min left"),
        ("Time is over", "no time left"),
    ]
    assert all(words in page.content.decode() for pair in told for words in pair)


def test_a_row_opens_with_the_call_its_types_the_reason_and_what_was_said(sam: Client) -> None:
    action = rows.waiting_for_staff(order_id="1042", percent=10, note="<script>alert(1)</script>")
    usage = facts.Usage(1, 1)
    rows.happened(
        action.turn,
        facts.routed(
            agents=["order_actions"], reason="It is about a discount.", by="model", usage=usage, duration_ms=1
        ),
        facts.model_called(
            step=1,
            agent="order_actions",
            text="I would give Ada 10% for the delay.",
            tool_calls=[{"id": action.tool_call_id, "name": "apply_discount", "args": {}}],
            model="m",
            usage=usage,
            duration_ms=1,
        ),
        facts.model_called(
            step=2,
            agent="order_actions",
            text="Something else.",
            tool_calls=[],
            model="m",
            usage=usage,
            duration_ms=1,
        ),
    )

    with CaptureQueriesContext(
        connection,
    ) as asked:
        piece = sam.get(f"{LIST}{action.pk}/detail/").content.decode()

    for shown in (
        "Give 10% off order 1042.", "whole number", "text, required", "Percent off.", "cus_1001", "Ada Stone",
        "Where is my order?", "I would give Ada 10% for the delay.", "It is about a discount.", "Moves money",
        f"{LIST}{action.pk}/approve/",
    ):  # fmt: skip
        assert shown in piece, shown
    assert "Something else." not in piece
    assert "<script>alert(1)" not in piece
    assert len(asked) <= 15


def test_who_may_not_read_conversations_reads_neither_reason_nor_words(client: Client) -> None:
    client.force_login(rows.staff("nina", "agents.view_action", "agents.decide_action"))
    action = rows.waiting_for_staff()

    piece = client.get(f"{LIST}{action.pk}/detail/").content.decode()

    assert "Give 10% off order 1042." in piece
    assert "Where is my order?" not in piece
    assert "Chosen because" not in piece


def test_a_viewer_sees_and_cannot_decide(viewer: Client) -> None:
    action = rows.waiting_for_staff()

    page = viewer.get(LIST).content.decode()
    piece = viewer.get(f"{LIST}{action.pk}/detail/").content.decode()
    refused = [
        viewer.get(f"{LIST}many/approve/?id={action.pk}").status_code,
        many(viewer, "approve", [action]).status_code,
        many(viewer, "decline", [action], reason="No.").status_code,
        viewer.post(f"{LIST}{action.pk}/approve/", {"_form_submitted": "True"}).status_code,
    ]

    assert "Give 10% off order 1042." in page
    assert "inbox-tick" not in page
    assert "inbox-many" not in page
    assert "inbox-decide" not in piece
    assert "You may look at it, but not decide." in piece
    assert refused == [403] * 4
    action.refresh_from_db()
    assert (action.status, action.votes, LogEntry.objects.count()) == ("awaiting", [], 0)


def test_nobody_without_the_permission_sees_any_of_it(client: Client) -> None:
    client.force_login(rows.staff("eve", "chat.view_conversation"))
    action = rows.waiting_for_staff()

    asked = [LIST, LIVE, f"{LIST}{action.pk}/detail/", f"{LIST}{action.pk}/here/", f"{LIST}{uuid4()}/detail/"]
    assert [client.get(url).status_code for url in asked] == [403] * len(asked)


def test_what_does_not_exist_is_not_found(sam: Client) -> None:
    asked = [f"{LIST}{uuid4()}/detail/", f"{LIST}x/detail/", f"{LIST}x/here/"]
    assert [sam.get(url).status_code for url in asked] == [404] * len(asked)


def test_an_open_page_hears_of_decisions_and_of_new_ones(sam: Client) -> None:
    kept, lost = rows.waiting_for_staff(order_id="1"), rows.waiting_for_staff(order_id="2")
    shown = f"{kept.pk},{lost.pk},nonsense"
    before = live(sam, shown=shown)
    state = before.context["state"]
    assert live(sam, shown=shown, state=state).status_code == 204

    approvals.decide(action_id=lost.pk, approved=False, by=NINA, reason="Too much.")
    new = rows.waiting_for_staff(order_id="3")
    after = live(sam, shown=shown, state=state)

    told = {row.action.pk: (row.waits, row.outcome) for row in after.context["rows"]}
    assert told == {
        kept.pk: (True, ""),
        lost.pk: (False, "Declined by nina: Too much."),
        new.pk: (True, ""),
    }
    assert after.context["state"] != state
    piece = after.content.decode()
    assert piece.count("inbox-gone") == 1
    assert piece.count('type="checkbox"') == 2  # what waits no more is not ticked


def test_who_else_looks_is_told_and_that_they_left(sam: Client, viewer: Client) -> None:
    action = rows.waiting_for_staff()
    assert "is looking" not in live(sam).content.decode()

    viewer.get(f"{LIST}{action.pk}/detail/")
    assert "vera is looking at this" in live(sam).content.decode()
    live(sam, open=str(action.pk))
    assert presence.here("approval", [action.pk]) == {str(action.pk): ["sam", "vera"]}
    assert "sam is looking at this" in viewer.get(f"{LIST}{action.pk}/here/").content.decode()

    assert viewer.get(f"{LIST}{action.pk}/here/?left=1").status_code == 204
    assert "is looking" not in live(sam).content.decode()


def test_a_full_page_and_its_polls_stay_within_their_statements(sam: Client) -> None:
    for number in range(3):
        rows.waiting_for_staff(order_id=str(number))
    sam.get(LIST)  # what is asked once for a session
    with CaptureQueriesContext(connection) as few:
        sam.get(LIST)
    for number in range(47):
        rows.waiting_for_staff(order_id=str(number))

    with CaptureQueriesContext(connection) as page:
        assert len(sam.get(LIST).context["rows"]) == 50
    shown = ",".join(str(pk) for pk in Action.objects.values_list("pk", flat=True))
    with CaptureQueriesContext(connection) as poll:
        live(sam, shown=shown)

    assert len(page) == len(few) <= 15
    assert len(poll) <= 8
    assert not [one["sql"] for one in page if "OFFSET" in one["sql"] or '"arguments",' in one["sql"]]


def test_a_dialog_of_the_inbox_leaves_the_page_as_it_is(sam: Client) -> None:
    action = rows.waiting_for_staff()
    inbox = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{LIST}?tool=apply_discount"}
    form = {"_form_submitted": "True", "seen": action.arguments_hash}

    done = sam.post(f"{LIST}{action.pk}/approve/", form, headers=inbox)
    late = sam.post(f"{LIST}{action.pk}/decline/", {**form, "reason": "No."}, headers=inbox)

    assert (done.status_code, late.status_code) == (204, 204)
    assert json.loads(done["HX-Trigger"])["inbox-decided"]["text"] == "Approved: Give 10% off order 1042."
    told = json.loads(late["HX-Trigger"])["inbox-decided"]
    assert (told["ok"], told["text"]) == (
        False,
        "This was already approved by sam. Your decision changed nothing.",
    )
    action.refresh_from_db()
    assert (action.status, LogEntry.objects.count()) == ("approved", 1)


def test_without_scripts_the_list_says_what_came_of_a_decision(sam: Client) -> None:
    action = rows.waiting_for_staff()
    form = {"_form_submitted": "True", "seen": action.arguments_hash}

    page = sam.post(f"{LIST}{action.pk}/approve/", form, follow=True)

    assert page.request["PATH_INFO"] == LIST
    assert "Approved: Give 10% off order 1042." in page.content.decode()


def test_the_dialog_for_several_lists_each_call_with_its_hash(sam: Client) -> None:
    first, second = (
        rows.waiting_for_staff(order_id="1", percent=5),
        rows.waiting_for_staff(order_id="2", percent=6),
    )
    before = Event.objects.count()

    dialog = sam.get(f"{LIST}many/approve/?id={second.pk}&id={first.pk}&id={first.pk}").content.decode()

    assert "Approve 2 calls of Apply discount?" in dialog
    for action in (first, second):
        assert f'name="seen-{action.pk}" value="{action.arguments_hash}"' in dialog
        assert action.message in dialog
    assert dialog.index(first.message) < dialog.index(second.message)
    assert Event.objects.count() == before


def test_the_dialog_for_several_shows_what_has_changed_and_who_agreed(sam: Client) -> None:
    moved, _ = (rows.waiting_for_staff(order_id=str(number)) for number in range(2))
    two_people()
    approvals.decide(action_id=moved.pk, approved=True, by=NINA)
    Tool.objects.update(path="/orders/{order_id}/rebates")
    for action in Action.objects.all():
        with pytest.raises(approvals.ToolChanged):
            approvals.decide(action_id=action.pk, approved=True, by=NINA_TOO)
    moved.refresh_from_db()
    approvals.decide(action_id=moved.pk, approved=True, by=NINA, seen=moved.arguments_hash)
    ids = "&".join(f"id={one.pk}" for one in Action.objects.all())

    dialog = sam.get(f"{LIST}many/approve/?{ids}").content.decode()

    assert dialog.count("The tool has changed since this was asked") == 2
    assert dialog.count("/orders/{order_id}/rebates") == 2
    assert "Approved by nina; a second person has to agree." in dialog
    assert dialog.count("Two different people have to approve this. You are the first.") == 1


def test_several_are_decided_one_by_one_and_each_is_told(sam: Client) -> None:
    own = f"user:{sam.session['_auth_user_id']}"
    fine, taken, over, changed, asked, off_dialog = (
        rows.waiting_for_staff(order_id=str(n)) for n in range(6)
    )
    approvals.decide(action_id=taken.pk, approved=False, by=NINA, reason="No.")
    Action.objects.filter(pk=over.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    Turn.objects.filter(pk=asked.turn_id).update(asked_by=own)
    ids = "&".join(f"id={one.pk}" for one in (fine, taken, over, changed, asked, off_dialog))
    seen = {f"seen-{one.pk}": one.arguments_hash for one in (fine, taken, over, asked)}
    seen[f"seen-{changed.pk}"] = "what it was before"

    answer = sam.post(f"{LIST}many/approve/?{ids}", {**seen, "reason": "Agreed."})

    assert outcomes(answer) == [
        (True, "Approved."),
        (False, "This was already declined by nina. Your decision changed nothing."),
        (False, "This approval has expired, and the customer was told. Nothing was carried out."),
        (False, "It was changed meanwhile. Nothing was decided: read it as it is now, then decide."),
        (False, "You asked for this yourself. Somebody else has to approve it."),
        (False, "This dialog did not show it. Nothing was decided."),
    ]
    statuses = dict(Action.objects.values_list("pk", "status"))
    assert [statuses[one.pk] for one in (fine, taken, over, changed, asked, off_dialog)] == [
        "approved",
        "rejected",
        "expired",
        "awaiting",
        "awaiting",
        "awaiting",
    ]
    assert LogEntry.objects.get().object_id == str(fine.pk)
    assert "Approved 1 of 6." in answer.content.decode()


def test_several_that_need_two_people_wait_for_the_second(sam: Client) -> None:
    for number in range(2):
        rows.waiting_for_staff(order_id=str(number))
    two_people()
    both = list(Action.objects.order_by("created_at"))

    first = many(sam, "approve", both)
    again = many(sam, "approve", both)

    waits = "You agree. A second person has to approve it before anything is sent."
    assert outcomes(first) == [(True, waits)] * 2
    assert outcomes(again) == [(False, "You have approved this already. A second person has to agree.")] * 2
    assert [(one.status, len(one.votes)) for one in Action.objects.all()] == [("awaiting", 1)] * 2


@pytest.mark.parametrize("reason", ["", "   "])
def test_several_are_not_declined_without_a_reason(sam: Client, reason: str) -> None:
    both = [rows.waiting_for_staff(order_id=str(number)) for number in range(2)]

    refused = many(sam, "decline", both, reason=reason)
    assert "Say why" in refused.content.decode()
    assert set(Action.objects.values_list("status", flat=True)) == {"awaiting"}

    done = many(sam, "decline", both, reason="Not today.")
    assert outcomes(done) == [(True, "Declined.")] * 2
    assert set(Action.objects.values_list("status", "reason")) == {("rejected", "Not today.")}


def test_different_tools_different_numbers_and_too_many_are_not_decided_together(sam: Client) -> None:
    one, two = rows.waiting_for_staff(order_id="1"), rows.waiting_for_staff(order_id="2")
    other = rows.action(rows.turn(rows.customer()), rows.tool(approval="staff"), order_id="3")
    Action.objects.filter(pk=two.pk).update(approvals_needed=2)
    two.refresh_from_db()
    ids = "&".join(f"id={uuid4()}" for _ in range(26))

    mixed = many(sam, "approve", [one, other])
    unequal = many(sam, "approve", [one, two])
    crowd = sam.post(f"{LIST}many/approve/?{ids}", {"reason": ""})
    nothing = sam.get(f"{LIST}many/approve/")

    told = [answer.context["fault"] for answer in (mixed, unequal, crowd, nothing)]
    assert told[0].startswith("These are calls of different tools.")
    assert told[1].startswith("Some of these need one person and some need two.")
    assert told[2].startswith("At most 25")
    assert told[3].startswith("Nothing is ticked")
    assert set(Action.objects.values_list("status", flat=True)) == {"awaiting"}
    assert not LogEntry.objects.exists()


def test_the_badges_are_told_anew_only_when_they_change(sam: Client, viewer: Client) -> None:
    rows.waiting_for_staff()
    told = sam.get("/admin/waiting/").json()
    counts = {item["link"]: item["count"] for item in told["items"]}
    assert counts == {LIST: 1, reverse("admin:chat_conversation_changelist"): 0}
    assert [bool(item["badge"]) for item in told["items"]] == [True, False]
    assert sam.get("/admin/waiting/", {"state": told["state"]}).status_code == 204

    rows.waiting_for_staff()
    assert sam.get("/admin/waiting/", {"state": told["state"]}).json()["items"][0]["count"] == 2

    eve = Client()
    eve.force_login(rows.staff("eve"))
    assert eve.get("/admin/waiting/").json()["items"] == []
    assert Client().get("/admin/waiting/").status_code == 302
