"""The roles that every installation begins with: groups of Django, made and extended after each migration.

What an administrator makes of them stays. A role is given each of its permissions once, as soon as the permission
exists; one that was taken away is not given again, and nothing is ever taken. A group of the same name that was there
before is somebody else's and is left alone.
"""

from typing import Any

import structlog
from django.db import transaction

log = structlog.get_logger(__name__)

VIEWER, AGENT, APPROVER, MANAGER, ADMIN = "Viewer", "Agent", "Approver", "Manager", "Admin"

VIEWER_MAY = frozenset(
    {
        "agents.view_action",
        "agents.view_agent",
        "agents.view_modelcall",
        "agents.view_tool",
        "analytics.view_analytics",
        "chat.view_cannedreply",
        "chat.view_conversation",
        "chat.view_customer",
        "chat.view_tag",
        "chat.view_webhookdelivery",
        "chat.view_webhookendpoint",
        "openapi_import.view_importjob",
        "openapi_import.view_specsource",
    }
)
AGENT_MAY = VIEWER_MAY | {"chat.change_conversation"}
APPROVER_MAY = VIEWER_MAY | {"agents.decide_action"}
MANAGER_MAY = (
    AGENT_MAY
    | APPROVER_MAY
    | {
        "agents.add_agent",
        "agents.change_agent",
        "agents.delete_agent",
        "agents.change_tool",
        "agents.view_credential",
        "agents.add_credential",
        "agents.change_credential",
        "agents.delete_credential",
        "agents.change_budget",
        "chat.add_cannedreply",
        "chat.change_cannedreply",
        "chat.delete_cannedreply",
        "chat.add_tag",
        "chat.change_tag",
        "chat.delete_tag",
        "chat.change_webhookdelivery",
        "chat.add_webhookendpoint",
        "chat.change_webhookendpoint",
        "chat.delete_webhookendpoint",
        "openapi_import.add_importjob",
        "openapi_import.change_importjob",
        "openapi_import.publish_importjob",
    }
)
ADMIN_MAY = MANAGER_MAY | {
    "auth.view_user",
    "auth.add_user",
    "auth.change_user",
    "auth.delete_user",
    "auth.view_group",
    "auth.add_group",
    "auth.change_group",
    "auth.delete_group",
    "chat.view_apikey",
    "chat.add_apikey",
    "chat.change_apikey",
    "smartsupport.view_auditentry",
}
ROLES = {
    VIEWER: VIEWER_MAY,
    AGENT: AGENT_MAY,
    APPROVER: APPROVER_MAY,
    MANAGER: MANAGER_MAY,
    ADMIN: ADMIN_MAY,
}


def name_staff_and_roles() -> None:
    """Let every page call Django's users and groups what the console calls them. Migrations do not notice: they compare
    what the models' own source says."""
    from django.apps import apps

    auth = apps.get_app_config("auth")
    auth.verbose_name = "Access"
    for name, one, many in (("User", "member of staff", "staff"), ("Group", "role", "roles")):
        meta = auth.get_model(name)._meta
        meta.verbose_name, meta.verbose_name_plural = one, many


def make_roles(apps: Any = None, **_: Any) -> None:
    """A receiver of post_migrate, sent once for each app: give the roles what they lack and what exists by now.

    `apps`: the models as they are after this migration. One query where there is nothing to do.
    """
    from django.apps import apps as of_today

    apps = apps or of_today
    try:
        role = apps.get_model("smartsupport", "Role")
        permission = apps.get_model("auth", "Permission")
    except LookupError:
        return  # not migrated so far
    remembered = {row.name: set(row.granted) for row in role.objects.all()}
    missing = {name: wanted - remembered.get(name, set()) for name, wanted in ROLES.items()}
    if not any(missing.values()):
        return
    existing = _existing(permission, frozenset().union(*missing.values()))
    for name, wanted in missing.items():
        given = {permission: pk for permission, pk in existing.items() if permission in wanted}
        if given or name not in remembered:
            _give(apps, name, given)


def _existing(model: Any, wanted: frozenset[str]) -> dict[str, int]:
    """{"app.codename": id} of those that exist."""
    codenames = {permission.partition(".")[2] for permission in wanted}
    rows = model.objects.filter(codename__in=codenames).values_list(
        "content_type__app_label", "codename", "pk"
    )
    found = {f"{app}.{codename}": pk for app, codename, pk in rows}
    return {permission: found[permission] for permission in sorted(wanted) if permission in found}


@transaction.atomic
def _give(apps: Any, name: str, permissions: dict[str, int]) -> None:
    """Two migrations at once: the second waits at the role's row and finds what the first has given."""
    groups = apps.get_model("auth", "Group").objects
    roles = apps.get_model("smartsupport", "Role").objects
    row, is_new = roles.get_or_create(name=name)
    row = roles.select_for_update().get(pk=row.pk)
    if is_new:
        row.group, was_made = groups.get_or_create(name=name)
        if not was_made:
            row.group = None
            log.warning(
                "role_not_made", role=name, reason="There is a group of that name already. It is left alone."
            )
    elif row.group is None:
        return  # deleted by an administrator, or never ours
    if row.group is not None:
        row.group.permissions.add(*(pk for text, pk in permissions.items() if text not in row.granted))
    row.granted = sorted({*row.granted, *permissions})
    row.save()


def make_again(name: str) -> None:
    """Make a role's group anew with all its permissions, where there is no group of that name. Raises ValueError."""
    from django.contrib.auth.models import Group

    from smartsupport.models import Role

    if name not in ROLES:
        raise ValueError(f"There is no role {name!r}. Roles are {', '.join(ROLES)}.")
    if Group.objects.filter(name=name).exists():
        raise ValueError(f"There is a group {name!r}. Rename or delete it first.")
    with transaction.atomic():
        Role.objects.filter(name=name).delete()
        make_roles()
