"""Every action of the console, also those added later: who may, by which road, and that a look changes nothing. That
visitors are sent to the sign-in is tried by tests/isolation. An action of the theme without a dialog runs on GET,
without permissions for any member of staff."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from tests import rows
from tests.admin import import_rows
from tests.isolation.world import everything

pytestmark = pytest.mark.django_db

KINDS = ("actions_list", "actions_row", "actions_detail", "actions_submit_line")


class Found(NamedTuple):
    model_admin: Any
    name: str
    kinds: frozenset[str]

    def __str__(self) -> str:
        return f"{self.model_admin.model._meta.label}.{self.name}"


def found() -> Iterator[Found]:
    for model_admin in admin.site._registry.values():
        named: dict[str, set[str]] = {}
        for kind in KINDS:
            for name in model_admin._extract_action_names(getattr(model_admin, kind, ())):
                named.setdefault(name, set()).add(kind)
        for name, kinds in named.items():
            yield Found(model_admin, name, frozenset(kinds))


ACTIONS = list(found())
every_action = pytest.mark.parametrize("action", ACTIONS, ids=str)


def url_of(action: Found) -> str:
    """Its address, on a row that exists where it needs one."""
    meta = action.model_admin.model._meta
    name = f"admin:{meta.app_label}_{meta.model_name}_{action.name}"
    return reverse(name) if action.kinds == {"actions_list"} else reverse(name, args=[row_for(action)])


def row_for(action: Found) -> Any:
    made = {
        "agents.Action": rows.waiting_for_staff,
        "agents.Tool": rows.reading_tool,
        "chat.ApiKey": lambda: rows.key("admin"),
        "chat.Conversation": rows.waiting_for_a_person,
        "chat.WebhookDelivery": rows.webhook_given_up,
        "chat.WebhookEndpoint": rows.webhook_endpoint,
        "openapi_import.ImportJob": import_rows.job,
        "openapi_import.SpecSource": rows.source,
    }
    made[action.model_admin.model._meta.label]()
    return action.model_admin.model.objects.get().pk


POSTED = {
    "_form_submitted": "True",
    "reason": "because",
    "note": "It is there.",
    "content": "Hello",
    "overlap_hours": "24",
    "template": "ecommerce",
}


def test_there_are_actions_to_look_at() -> None:
    assert {str(action) for action in ACTIONS} >= {
        "agents.Action.approve",
        "agents.Action.decline",
        "agents.Action.it_happened",
        "agents.Action.it_did_not_happen",
        "agents.Action.approve_with_changes",
        "agents.Action.send_again",
        "agents.Action.make_link",
        "agents.Action.withdraw_links",
        "agents.Tool.try_out",
        "chat.Conversation.take_over",
        "chat.Conversation.hand_back",
        "chat.Conversation.retry",
        "chat.ApiKey.disable",
        "chat.ApiKey.replace",
        "chat.Conversation.write",
        "chat.Conversation.resolve",
        "openapi_import.ImportJob.publish",
        "openapi_import.SpecSource.delete_tools",
    }


@every_action
def test_it_names_its_permissions_and_asks_first(action: Found) -> None:
    method = getattr(action.model_admin, action.name)

    assert getattr(method, "allowed_permissions", None), "no permissions="
    assert getattr(method, "dialog", None), "no dialog="
    assert method.dialog["title"].endswith("?")
    assert method.dialog["description"]
    assert "actions_submit_line" not in action.kinds


@every_action
def test_a_look_changes_nothing(action: Found, client: Client) -> None:
    url = url_of(action)
    client.force_login(rows.staff("root", superuser=True))
    before = everything()

    answer = client.get(url, POSTED)

    assert answer.status_code == 200
    assert b'id="dialog"' in answer.content
    assert everything() == before


@every_action
def test_without_the_csrf_token_it_is_refused(action: Found) -> None:
    url = url_of(action)
    client = Client(enforce_csrf_checks=True)
    client.force_login(rows.staff("root", superuser=True))
    before = everything()

    answer = client.post(url, POSTED)

    assert answer.status_code == 403
    assert everything() == before


@every_action
def test_a_member_of_staff_without_the_permission_neither_sees_nor_does_it(
    action: Found, client: Client
) -> None:
    url = url_of(action)
    meta = action.model_admin.model._meta
    view = [] if action.name == "export_yaml" else [f"{meta.app_label}.view_{meta.model_name}"]
    client.force_login(rows.staff("nina", *view))
    before = everything()

    looked = client.get(url)
    done = client.post(url, POSTED)

    assert (looked.status_code, done.status_code) == (403, 403)
    assert everything() == before
    if view:
        listed = client.get(reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist"))
        assert listed.status_code == 200
        assert url.encode() not in listed.content


def test_no_list_offers_to_delete_many_rows_at_once() -> None:
    assert "delete_selected" not in dict(admin.site.actions)
    assert all(not model_admin.actions for model_admin in admin.site._registry.values())
