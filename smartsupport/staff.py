"""The groups that every installation begins with."""

from typing import Any

from django.db import transaction

SUPPORT = "Support staff"
SUPPORT_MAY = {
    "chat.view_conversation",
    "chat.change_conversation",
    "chat.view_customer",
    "agents.view_action",
    "agents.decide_action",
    "agents.view_agent",
    "agents.view_tool",
}
SUPERVISORS = "Supervisors"
SUPERVISORS_MAY = SUPPORT_MAY | {
    "agents.add_agent",
    "agents.change_agent",
    "agents.delete_agent",
    "agents.change_tool",
    "agents.view_credential",
    "agents.add_credential",
    "agents.change_credential",
    "agents.delete_credential",
    "openapi_import.view_specsource",
    "openapi_import.view_importjob",
    "openapi_import.add_importjob",
    "openapi_import.change_importjob",
    "openapi_import.publish_importjob",
    "chat.view_webhookdelivery",
    "chat.change_webhookdelivery",
}


def make_groups(**_: Any) -> None:
    """A receiver of post_migrate: make the groups that are missing. One that is there is never changed.

    It is called once for each app; until the last one some permissions are missing, and it waits for those.
    """
    for name, wanted in ((SUPPORT, SUPPORT_MAY), (SUPERVISORS, SUPERVISORS_MAY)):
        _make(name, wanted)


@transaction.atomic
def _make(name: str, wanted: set[str]) -> None:
    from django.contrib.auth.models import Group, Permission

    if Group.objects.filter(name=name).exists():
        return
    codenames = {permission.split(".")[1] for permission in wanted}
    rows = Permission.objects.filter(codename__in=codenames).select_related("content_type")
    found = [row for row in rows if f"{row.content_type.app_label}.{row.codename}" in wanted]
    if len(found) == len(wanted):
        Group.objects.create(name=name).permissions.set(found)
