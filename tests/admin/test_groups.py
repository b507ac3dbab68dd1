"""The groups that an installation begins with."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from smartsupport import staff
from tests import rows

pytestmark = pytest.mark.django_db


def member(group: str) -> Client:
    user = rows.staff("sam")
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


def test_support_staff_look_decide_and_answer_and_change_nothing_else() -> None:
    client = member(staff.SUPPORT)
    action = rows.waiting_for_staff()

    client.post(
        f"/admin/agents/action/{action.pk}/approve/",
        {"_form_submitted": "True", "seen": action.arguments_hash},
    )

    action.refresh_from_db()
    assert action.status == "approved"
    waiting = rows.waiting_for_a_person()
    for did, posted in (("write", {"content": "Hello"}), ("resolve", {})):
        client.post(f"/admin/chat/conversation/{waiting.pk}/{did}/", {"_form_submitted": "True", **posted})
    assert [event.kind for event in waiting.events.order_by("-seq")[:3]] == [
        "conversation_resolved",
        "handed_back",
        "staff_wrote",
    ]
    for open_to_them in (
        "chat/conversation",
        "chat/customer",
        "agents/action",
        "agents/agent",
        "agents/tool",
    ):
        assert client.get(f"/admin/{open_to_them}/").status_code == 200
    for closed in ("chat/apikey", "auth/user", "auth/group", "agents/agent/add", "agents/agent/use-template"):
        assert client.get(f"/admin/{closed}/").status_code == 403


def test_supervisors_set_agents_up_and_give_no_access() -> None:
    client = member(staff.SUPERVISORS)

    assert client.get("/admin/agents/agent/add/").status_code == 200
    assert client.get("/admin/chat/apikey/").status_code == 403


def test_a_group_that_is_there_stays_as_people_made_it() -> None:
    Group.objects.get(name=staff.SUPPORT).permissions.clear()

    staff.make_groups()

    assert not Group.objects.get(name=staff.SUPPORT).permissions.exists()


def test_a_group_that_is_missing_is_made_with_all_it_needs() -> None:
    Group.objects.all().delete()

    staff.make_groups()

    for name, wanted in ((staff.SUPPORT, staff.SUPPORT_MAY), (staff.SUPERVISORS, staff.SUPERVISORS_MAY)):
        had = {
            f"{row.content_type.app_label}.{row.codename}"
            for row in Group.objects.get(name=name).permissions.all()
        }
        assert had == wanted
