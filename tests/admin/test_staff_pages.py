"""The pages of staff and roles call both what the sidebar calls them."""

import re

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client

from tests import rows

pytestmark = pytest.mark.django_db
DJANGOS = re.compile(r"Authentication and Authorization|\b[Uu]sers?\b(?! permissions)|\b[Gg]roups?\b")


def headings(client: Client, url: str) -> str:
    """What the page says of itself: its title, its headings and breadcrumbs, its buttons and its fields' names."""
    html = client.get(url).content.decode()
    assert 'id="content' in html
    parts = re.findall(r"<(title|h1|h2|label|legend)\b[^>]*>(.*?)</\1>", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>|\s+", " ", inner) for _, inner in parts)


@pytest.mark.parametrize("page", ["", "add/", "{pk}/change/", "{pk}/delete/", "{pk}/history/"])
@pytest.mark.parametrize("model", ["user", "group"])
def test_no_page_of_them_speaks_of_users_or_groups(client: Client, model: str, page: str) -> None:
    maya = rows.staff("maya", superuser=True)
    client.force_login(maya)
    pk = maya.pk if model == "user" else Group.objects.create(name="Night shift").pk

    found = headings(client, f"/admin/auth/{model}/{page.format(pk=pk)}")

    assert DJANGOS.findall(found) == [], found
    assert ("taff" if model == "user" else "oles") in found
    assert "Access" in found


def test_the_lists_of_roles_and_the_form_of_a_new_colleague_speak_of_roles(client: Client) -> None:
    maya = rows.staff("maya", superuser=True)
    client.force_login(maya)

    page = client.get(f"/admin/auth/user/{maya.pk}/change/").content.decode()
    new = client.get("/admin/auth/user/add/").content.decode()

    assert 'data-field-name="roles"' in page
    assert 'data-field-name="groups"' not in page
    assert "Without a role they may nothing." in new
    assert "created a user" not in new


def test_the_new_names_are_no_change_of_djangos_tables() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
