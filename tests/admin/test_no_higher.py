"""Whoever may edit staff and groups cannot make themselves, or anybody, more than they are."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from smartsupport import staff
from tests import rows
from tests.admin.roles_world import member

pytestmark = pytest.mark.django_db
EDITS = (
    "auth.view_user",
    "auth.add_user",
    "auth.change_user",
    "auth.delete_user",
    "auth.view_group",
    "auth.add_group",
    "auth.change_group",
    "auth.delete_group",
)
NEW = "tr0ub4dor-and-3"


@pytest.fixture
def clerk(client: Client) -> User:
    """May edit staff and groups, and nothing else."""
    user = rows.staff("clerk", *EDITS)
    client.force_login(user)
    return user


def saved(client: Client, user: User, **fields: Any) -> int:
    own = list(user.user_permissions.values_list("pk", flat=True))
    form = {
        "username": user.username,
        "is_active": "on",
        "is_staff": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        "user_permissions": own,
        **fields,
    }
    return client.post(f"/admin/auth/user/{user.pk}/change/", form).status_code


def may(user: User) -> set[str]:
    return set(User.objects.get(pk=user.pk).get_all_permissions())


def test_nobody_makes_a_superuser_but_a_superuser(client: Client, clerk: User) -> None:
    assert saved(client, clerk, is_superuser="on") == 302

    assert not User.objects.get(pk=clerk.pk).is_superuser
    assert may(clerk) == set(EDITS)


def test_nobody_gives_what_they_do_not_have(client: Client, clerk: User) -> None:
    more = Permission.objects.get(codename="add_apikey")
    admins = Group.objects.get(name=staff.ADMIN)
    own = list(clerk.user_permissions.values_list("pk", flat=True))

    assert saved(client, clerk, groups=[admins.pk]) == 200
    assert saved(client, clerk, user_permissions=[*own, more.pk]) == 200
    client.post("/admin/auth/group/add/", {"name": "Mine", "permissions": [more.pk]})
    client.post(f"/admin/auth/group/{admins.pk}/change/", {"name": "Mine", "permissions": own})

    assert may(clerk) == set(EDITS)
    assert not Group.objects.filter(name="Mine").exists()
    assert f'value="{more.pk}"' not in client.get("/admin/auth/group/add/").content.decode()


def test_who_may_more_is_not_edited_not_deleted_and_keeps_the_password(client: Client, clerk: User) -> None:
    root = rows.staff("root", superuser=True)
    higher = rows.staff("holly", "chat.view_conversation")
    asleep = rows.staff("ines")
    asleep.groups.add(Group.objects.get(name=staff.VIEWER))
    User.objects.filter(pk=asleep.pk).update(is_active=False)

    for user in (root, higher, asleep):
        before = User.objects.filter(pk=user.pk).values().get()
        assert saved(client, user, username="mine") == 403
        given = {"password1": NEW, "password2": NEW, "usable_password": "true"}
        assert client.post(f"/admin/auth/user/{user.pk}/password/", given).status_code == 403
        assert client.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"}).status_code == 403
        assert User.objects.filter(pk=user.pk).values().get() == before
    admins = Group.objects.get(name=staff.ADMIN)
    assert client.post(f"/admin/auth/group/{admins.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Group.objects.filter(pk=admins.pk).exists()


def test_equals_are_edited_and_given_what_one_has(client: Client, clerk: User) -> None:
    colleague = rows.staff("cleo", "auth.view_user")
    own = list(clerk.user_permissions.values_list("pk", flat=True))
    client.post("/admin/auth/group/add/", {"name": "Clerks", "permissions": own})

    assert saved(client, colleague, username="cleopatra", groups=[Group.objects.get(name="Clerks").pk]) == 302

    assert User.objects.get(pk=colleague.pk).username == "cleopatra"
    assert may(colleague) == set(EDITS)


def test_an_admin_gives_every_role_and_a_superuser_everything(client: Client) -> None:
    nina = rows.staff("nina")
    roles = list(Group.objects.filter(name__in=staff.ROLES).values_list("pk", flat=True))

    assert saved(member(staff.ADMIN), nina, groups=roles) == 302
    assert set(nina.groups.values_list("pk", flat=True)) == set(roles)
    client.force_login(rows.staff("root", superuser=True))
    assert saved(client, nina, is_superuser="on") == 302
    assert User.objects.get(pk=nina.pk).is_superuser
