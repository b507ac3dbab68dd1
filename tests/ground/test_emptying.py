"""What the tests' own `flush` leaves behind: nothing of a test, and all that the migrations' signals made."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

pytestmark = pytest.mark.django_db(transaction=True)


def emptied() -> str:
    """Flush as a test's end does; the statements that it took."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        call_command("flush", verbosity=0, interactive=False)
    return "\n".join(query["sql"] for query in queries)


def test_what_was_written_goes_and_nothing_else_is_asked() -> None:
    emptied()
    User.objects.create(username="left-behind").groups.add(Group.objects.first())
    groups = list(Group.objects.values_list("pk", "name"))

    statements = emptied()

    assert not User.objects.exists()
    assert "TRUNCATE" not in statements
    assert list(Group.objects.values_list("pk", "name")) == groups


@pytest.mark.parametrize(
    "change",
    [
        lambda: Group.objects.first().delete(),
        lambda: Group.objects.create(name="new"),
        lambda: Group.objects.filter(pk=Group.objects.first().pk).update(name="renamed"),
        lambda: Permission.objects.first().delete(),
        lambda: (Group.objects.first().delete(), Group.objects.create(name="as many as before")),
    ],
    ids=["deleted", "added", "renamed", "permission deleted", "replaced"],
)
def test_what_signals_made_is_made_again_where_a_test_changed_it(change: Any) -> None:
    emptied()
    groups = sorted(Group.objects.values_list("name", flat=True))
    permissions = Permission.objects.count()
    change()

    statements = emptied()

    assert "TRUNCATE" in statements
    assert sorted(Group.objects.values_list("name", flat=True)) == groups
    assert Permission.objects.count() == permissions
