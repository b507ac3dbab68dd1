"""Viewer, Agent, Approver, Manager, Admin: what each may and may not, page by page; and how the roles come to be."""

import re
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from smartsupport import staff
from smartsupport.models import Role
from tests import rows
from tests.admin.roles_table import SIDEBAR, TABLE
from tests.admin.roles_world import BELOW, LETTERS, ask, console_routes, member, name_of
from tests.isolation import public
from tests.isolation.needs import asked
from tests.isolation.world import changed, everything, plant

pytestmark = pytest.mark.django_db
ROUTES = [route for route in console_routes() if not public.reason(route.pattern, staff=True) and route.name]
LISTED = [route for route in ROUTES if name_of(route) in TABLE]
REFUSED = (403, 405)
"""405: what is only posted to says so to everybody who looks."""
LET_IN = (200, 204, 302, 404, 405, 422)
"""405 and 422: the page is there, and wanted to be asked otherwise."""
every_role = pytest.mark.parametrize("role", staff.ROLES)


def test_every_page_of_the_console_has_its_line_and_every_line_its_page() -> None:
    pages = {name_of(route) for route in ROUTES}

    assert pages - set(TABLE) == set(), "say in tests/admin/roles_table.py who may see these"
    assert set(TABLE) - pages == set()


@every_role
def test_what_a_role_may_not_is_refused_and_changes_nothing(role: str) -> None:
    """What the role has no permission for is tried by tests/isolation, as a member of each role; here it is what asks
    for more than its permissions tell."""
    world, client, letter, held = plant(), member(role), LETTERS[role], had(role)
    before = everything()

    let_in = [
        f"{method} {name_of(route)}: {status}"
        for route in LISTED
        for method, who in zip(("GET", "POST"), TABLE[name_of(route)], strict=True)
        if letter not in who and asked(route, method).met_by(held)
        if (status := ask(client, route, method, world).status_code) not in REFUSED
    ]

    assert let_in == []
    assert changed(before) == []


@every_role
def test_what_a_role_may_it_is_let_in_to(role: str) -> None:
    """What it has over the roles that are part of it; the others' own tests look at the rest."""
    world, client = plant(), member(role)
    below = [LETTERS[one] for one in BELOW[role]]

    refused = [
        f"{method} {name_of(route)}: {status}"
        for route in LISTED
        for method, who in zip(("GET", "POST"), TABLE[name_of(route)], strict=True)
        if LETTERS[role] in who and not any(one in who for one in below)
        if (status := ask(client, route, method, world).status_code) not in LET_IN
    ]

    assert refused == []


def test_roles_contain_each_other() -> None:
    for role, below in BELOW.items():
        for part in below:
            assert staff.ROLES[role] > staff.ROLES[part], (role, part)


@every_role
def test_the_sidebar_leads_only_to_what_the_role_may_see(role: str) -> None:
    client = member(role)
    page = client.get(reverse("admin:index")).content.decode()
    nav = page[page.index('id="nav-sidebar"') :] if 'id="nav-sidebar"' in page else page
    linked = set(re.findall(r'href="(/admin/[^"?#]*)', nav))

    for name, who in SIDEBAR.items():
        url = address(name)
        assert (url in linked) == (LETTERS[role] in who), (name, url)
    own = {reverse("admin:logout"), reverse("admin:login")}
    assert [url for url in linked - own if client.get(url).status_code == 403] == []


def address(name: str) -> str:
    return reverse(name if name == "analytics" else f"admin:{name}")


def test_whoever_is_in_no_group_sees_an_empty_console(client: Client) -> None:
    client.force_login(rows.staff("nina"))

    page = client.get(reverse("admin:index")).content.decode()

    for name in set(SIDEBAR) - {"index"}:
        assert f'href="{address(name)}' not in page


def had(name: str) -> set[str]:
    found = Group.objects.get(name=name).permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in found}


def test_a_new_installation_has_the_five_roles_with_all_they_need() -> None:
    existing = Permission.objects.values_list("content_type__app_label", "codename")
    there = {f"{app}.{codename}" for app, codename in existing}
    wanted = frozenset().union(*staff.ROLES.values())

    assert wanted - there == set()
    assert {name: had(name) for name in staff.ROLES} == staff.ROLES
    assert not Group.objects.filter(name__in=("Support staff", "Supervisors")).exists()


def test_what_an_administrator_took_away_or_gave_stays() -> None:
    viewer = Group.objects.get(name=staff.VIEWER)
    viewer.permissions.remove(Permission.objects.get(codename="view_customer"))
    viewer.permissions.add(Permission.objects.get(codename="view_apikey"))
    Group.objects.filter(name=staff.AGENT).update(name="Helpers")
    Group.objects.get(name=staff.APPROVER).delete()

    staff.make_roles()

    assert had(staff.VIEWER) == staff.ROLES[staff.VIEWER] - {"chat.view_customer"} | {"chat.view_apikey"}
    assert had("Helpers") == staff.ROLES[staff.AGENT]
    assert not Group.objects.filter(name__in=(staff.AGENT, staff.APPROVER)).exists()


def test_a_permission_of_a_later_version_is_added_once(monkeypatch: pytest.MonkeyPatch) -> None:
    later = {name: wanted | {"chat.delete_customer"} for name, wanted in staff.ROLES.items()}
    before = had(staff.VIEWER)
    monkeypatch.setattr(staff, "ROLES", later)

    staff.make_roles()
    assert had(staff.VIEWER) == before | {"chat.delete_customer"}

    Group.objects.get(name=staff.VIEWER).permissions.remove(
        Permission.objects.get(codename="delete_customer")
    )
    staff.make_roles()
    assert had(staff.VIEWER) == before


def test_a_permission_that_does_not_exist_yet_is_given_when_it_does() -> None:
    Role.objects.all().delete()
    Group.objects.all().delete()
    waits = Permission.objects.get(codename="decide_action")
    content_type, name = waits.content_type, waits.name
    waits.delete()

    staff.make_roles()
    assert "agents.decide_action" not in had(staff.APPROVER)

    Permission.objects.create(content_type=content_type, codename="decide_action", name=name)
    staff.make_roles()
    assert had(staff.APPROVER) == staff.ROLES[staff.APPROVER]


def test_groups_that_were_there_before_are_left_alone_and_give_nobody_more() -> None:
    """An upgrade: the two old groups, and one that happens to be called like a role."""
    Role.objects.all().delete()
    Group.objects.all().delete()
    old = Group.objects.create(name="Support staff")
    old.permissions.add(Permission.objects.get(codename="view_conversation"))
    Group.objects.create(name=staff.MANAGER)

    staff.make_roles()
    staff.make_roles()

    assert (had("Support staff"), had(staff.MANAGER)) == ({"chat.view_conversation"}, set())
    assert had(staff.ADMIN) == staff.ROLES[staff.ADMIN]
    with pytest.raises(ValueError, match="Rename or delete it first"):
        staff.make_again(staff.MANAGER)
    Group.objects.filter(name=staff.MANAGER).update(name="Managers of old")
    staff.make_again(staff.MANAGER)
    assert had(staff.MANAGER) == staff.ROLES[staff.MANAGER]


def test_nothing_to_do_costs_one_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        staff.make_roles(apps=apps)


def test_before_its_own_migration_it_waits() -> None:
    """`migrate agents` on an old database sends the signal, too, and there is no table for it yet."""
    module = import_module("django.apps.registry")
    staff.make_roles(apps=module.Apps())
