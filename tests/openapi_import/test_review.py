"""What a reviewer may change, what is refused in words, and that a refusal changes nothing."""

import threading
from typing import Any

import pytest
from django.db import connection

from openapi_import import review
from openapi_import.errors import ImportRefused, JobNotFound, WrongStage
from openapi_import.models import Classification, ImportJob, ImportStatus
from openapi_import.publish import publish
from smartsupport.lib.ids import new_id
from tests.openapi_import.review_rows import KIM, SAM, SHOP, operation, ready, row_of, schema

pytestmark = pytest.mark.django_db

WITH_AMOUNT = operation(
    "pay",
    "POST",
    tool={"input_schema": schema("order_id", amount={"type": "number"}, note={"type": "string"})},
)
PUT = operation("search", "PUT")
BROKEN = operation("broken", "POST", unusable="It takes a body that has no schema.")


@pytest.fixture
def job() -> ImportJob:
    return ready(*SHOP, WITH_AMOUNT, PUT, BROKEN)


def stored(job: ImportJob) -> list[dict[str, Any]]:
    return list(Classification.objects.filter(job=job).order_by("index").values())


def index(job: ImportJob, operation_id: str) -> int:
    return row_of(job, operation_id).index


@pytest.mark.parametrize(
    ("operation_id", "changes", "becomes"),
    [
        ("look_order", {"access_type": "write"}, {"access_type": "write", "approval": "staff", "risk": "destructive"}),
        ("look_order", {"needs_interrupt": False}, {"access_type": "read", "approval": "none"}),
        ("refund_order", {"access_type": "read"}, {"access_type": "read", "approval": "none", "risk": "safe"}),
        ("refund_order", {"access_type": "read", "needs_interrupt": False}, {"approval": "none"}),
        ("refund_order", {"approval": "customer", "risk": "money"}, {"approval": "customer", "risk": "money"}),
        ("refund_order", {"needs_interrupt": True}, {"approval": "staff"}),
        ("search", {"access_type": "read", "confirm_read": True}, {"access_type": "read", "approval": "none"}),
        ("refund_order", {"agent_group": "back-office_2"}, {"agent_group": "back-office_2"}),
        ("refund_order", {"agent_group": None}, {"agent_group": ""}),
        ("refund_order", {"customer_params": {"order_id": "customer.id"}},
         {"customer_params": {"order_id": "customer.id"}}),
        ("refund_order", {"name": "give_back", "title": " Give  it\nback ", "tool_description": "One.\n\nTwo."},
         {"name": "give_back", "title": "Give it back", "tool_description": "One.\n\nTwo."}),
        ("refund_order", {"selected": False}, {"selected": False}),
    ],
)  # fmt: skip
def test_a_change_is_made_and_says_who_made_it(
    job: ImportJob, operation_id: str, changes: dict[str, Any], becomes: dict[str, Any]
) -> None:
    before = row_of(job, operation_id)

    review.edit(job.pk, before.index, changes, by=SAM, seen=before.revision)

    after = row_of(job, operation_id)
    assert {name: getattr(after, name) for name in becomes} == becomes
    assert after.revision == before.revision + 1
    assert after.reviewed_by == ("" if "selected" in changes else "sam")
    assert (after.reviewed_at is not None) is ("selected" not in changes)
    assert after.judged["access_type"] == before.access_type  # what the rules had said stays


@pytest.mark.parametrize(
    ("operation_id", "changes", "field", "words"),
    [
        ("look_order", {"needs_interrupt": True}, "access_type",
         "What reads needs nobody's approval. Set access_type to write to have it approved."),
        ("refund_order", {"needs_interrupt": False}, "access_type",
         "What writes needs an approver. Set access_type to read if it changes nothing."),
        ("refund_order", {"approval": "none", "access_type": "write"}, "access_type",
         "What writes needs an approver. Set access_type to read if it changes nothing."),
        ("refund_order", {"approval": "staff", "needs_interrupt": False}, "access_type",
         "approval and needs_interrupt contradict each other."),
        ("search", {"access_type": "read"}, "access_type",
         "PUT changes something by its nature. If this one only reads, say confirm_read: true."),
        ("cancel_order", {"access_type": "read", "confirm_read": False}, "access_type",
         "DELETE changes something by its nature. If this one only reads, say confirm_read: true."),
        ("look_order", {"access_type": "delete"}, "access_type", "Use one of: read, write."),
        ("look_order", {"risk": None}, "risk", "Use one of: safe, reversible, destructive, money, personal."),
        ("look_order", {"selected": 1}, "selected", "Must be true or false."),
        ("broken", {"selected": True}, "selected", "It can be no tool. It takes a body that has no schema."),
        ("look_order", {"agent_group": "two words"}, "agent_group", "Use 1 to 64 letters, digits, _ or -."),
        ("look_order", {"agent_group": "orders\n"}, "agent_group", "Use 1 to 64 letters, digits, _ or -."),
        ("look_order", {"agent_group": "x" * 65}, "agent_group", "Use 1 to 64 letters, digits, _ or -."),
        ("look_order", {"agent_group": "订单"}, "agent_group", "Use 1 to 64 letters, digits, _ or -."),
        ("look_order", {"name": "a.b"}, "name", "Use 1 to 64 letters, digits, _ or -, a letter or _ first."),
        ("look_order", {"name": "2fa"}, "name", "Use 1 to 64 letters, digits, _ or -, a letter or _ first."),
        (
            "look_order",
            {"name": "hand_off_to_person"},
            "name",
            "hand_off_to_person is a tool of Smart Support's own. Use another name.",
        ),
        (
            "look_order",
            {"name": "find_tools"},
            "name",
            "find_tools is a tool of Smart Support's own. Use another name.",
        ),
        ("look_order", {"name": "cancel_order"}, "name", "There is already a tool named 'cancel_order'."),
        ("look_order", {"customer_params": {"nothing": "customer.id"}}, "customer_params",
         "There is no argument 'nothing' to bind."),
        ("look_order", {"customer_params": {"order_id": "staff.id"}}, "customer_params",
         "Unknown binding 'staff.id'. Known: customer.id."),
        ("look_order", {"customer_params": {"order_id": ["customer.id"]}}, "customer_params",
         "Unknown binding ['customer.id']. Known: customer.id."),
        ("look_order", {"customer_params": "order_id"}, "customer_params",
         "Give an object of arguments and what each is bound to."),
        ("look_order", {"title": " "}, "title", "Must not be empty."),
        ("look_order", {"title": "x" * 121}, "title", "Must not be longer than 120 characters."),
        ("look_order", {"tool_description": 5}, "tool_description", "Must be a text."),
        ("look_order", {"projection": "id"}, "projection",
         "Give a list of at most 100 parts of the answer, such as items[].id."),
        ("refund_order", {"confirmation": "Refund {amount}"}, "confirmation",
         "{amount} is no required argument. They are: order_id."),
        ("pay", {"staff_above_argument": "note", "staff_above_amount": 5}, "staff_above_argument",
         "This is not a number among the tool's arguments. They are: amount."),
        ("pay", {"staff_above_argument": "amount"}, "staff_above_argument",
         "Give both the argument and the amount above which staff decide, or neither."),
        ("pay", {"staff_above_argument": "amount", "staff_above_amount": "NaN"}, "staff_above_amount",
         "Give an amount, such as 100 or 99.50."),
        ("pay", {"approvals_needed": True}, "approvals_needed", "One or two people: 1 or 2."),
        ("pay", {"requires": ["pay"]}, "requires", "There is no other tool named 'pay'."),
        ("pay", {"read_back": "cancel_order"}, "read_back", "There is no reading operation 'cancel_order'."),
        ("pay", {"enabled": True}, "enabled", "There is no such field."),
        ("pay", {"method": "GET"}, "method", "There is no such field."),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words_and_changes_nothing(
    job: ImportJob, operation_id: str, changes: dict[str, Any], field: str, words: str
) -> None:
    before = stored(job)

    with pytest.raises(ImportRefused) as refusal:
        review.edit(job.pk, index(job, operation_id), {"title": "Fine", **changes}, by=SAM)

    assert refusal.value.extra["fields"] == {field: [words]}
    assert refusal.value.status == 422
    assert stored(job) == before


def test_what_the_tool_gets_beside_what_was_judged_is_kept_with_the_row(job: ImportJob) -> None:
    more = {
        "projection": ["items[].id"],
        "confirmation": "Pay for {order_id}",
        "repeat_safe": True,
        "staff_above_argument": "amount",
        "staff_above_amount": 99.5,
        "approvals_needed": 2,
        "requires": ["look_order"],
        "read_back": "look_order",
    }

    review.edit(job.pk, index(job, "pay"), more, by=SAM)
    review.edit(job.pk, index(job, "pay"), {"repeat_safe": False}, by=SAM)

    kept = row_of(job, "pay").decided
    assert kept == {**more, "staff_above_amount": "99.50", "repeat_safe": False}


def test_whoever_saw_something_older_is_told_and_overwrites_nothing(job: ImportJob) -> None:
    row = row_of(job, "refund_order")
    review.edit(job.pk, row.index, {"risk": "money"}, by=SAM, seen=row.revision)
    before = stored(job)

    with pytest.raises(review.ChangedMeanwhile) as refusal:
        review.edit(job.pk, row.index, {"risk": "safe"}, by=KIM, seen=row.revision)

    assert refusal.value.extra == {"revision": row.revision + 1, "reviewed_by": "sam"}
    assert refusal.value.status == 409
    assert stored(job) == before


@pytest.mark.django_db(transaction=True)
def test_two_reviewers_at_once_lose_neither_edit() -> None:
    job = ready()
    together, faults = threading.Barrier(4), []
    changes: list[dict[str, Any]] = [
        {"risk": "money"},
        {"title": "Ours"},
        {"agent_group": "mine"},
        {"selected": False},
    ]

    def run(one: dict[str, Any]) -> None:
        try:
            together.wait(30)
            review.edit(job.pk, 2, one, by=SAM)
        except BaseException as error:
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(one,)) for one in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    row = row_of(job, "refund_order")
    assert faults == []
    assert (row.risk, row.title, row.agent_group, row.selected) == ("money", "Ours", "mine", False)
    assert row.revision == 4


def test_many_at_once_all_or_none(job: ImportJob) -> None:
    before = stored(job)

    with pytest.raises(ImportRefused) as refusal:
        review.edit_many(job.pk, [0, 1, 2, 4], {"access_type": "read"}, SAM)
    assert stored(job) == before
    assert refusal.value.extra["fields"] == {
        "access_type": [
            "DELETE /cancel_order/{order_id}: DELETE changes something by its nature. If this one only reads, say "
            "confirm_read: true.",
            "PUT /search/{order_id}: PUT changes something by its nature. If this one only reads, say "
            "confirm_read: true.",
        ]
    }
    with pytest.raises(ImportRefused, match="name cannot be the same for several operations"):
        review.edit_many(job.pk, [0, 1], {"name": "one"}, SAM)
    with pytest.raises(review.RowNotFound, match="Classification index 17 out of range"):
        review.edit_many(job.pk, [0, 17], {"risk": "money"}, SAM)
    assert stored(job) == before

    assert review.edit_many(job.pk, [1, 2], {"approval": "customer"}, SAM) == 2
    assert review.edit_many(job.pk, None, {"agent_group": "all", "selected": True}, KIM) == 6

    rows = list(Classification.objects.filter(job=job).order_by("index"))
    assert [row.approval for row in rows] == ["none", "customer", "customer", "staff", "staff", "staff"]
    assert {row.agent_group for row in rows} == {"all"}
    assert [row.selected for row in rows] == [True, True, True, True, True, False]
    assert [row.reviewed_by for row in rows] == [
        "",
        "sam",
        "sam",
        "",
        "",
        "",
    ]  # giving to an agent is no look


def test_looking_is_noted_and_settles_a_doubt(job: ImportJob) -> None:
    Classification.objects.filter(job=job).update(uncertain=True)

    assert review.look(job.pk, [1, 2], SAM) == 2

    rows = list(Classification.objects.filter(job=job).order_by("index"))
    assert [row.uncertain for row in rows] == [True, False, False, True, True, True]
    assert [row.reviewed_by for row in rows][:3] == ["", "sam", "sam"]
    with pytest.raises(review.RowNotFound):
        review.look(job.pk, [0, 99], SAM)
    assert row_of(job, "look_order").uncertain


def test_an_unknown_import_or_row_is_not_found(job: ImportJob) -> None:
    nobody = new_id()

    with pytest.raises(JobNotFound, match=f"Job '{nobody}' not found"):
        review.edit(nobody, 0, {"risk": "safe"}, by=SAM)
    with pytest.raises(review.RowNotFound, match="Classification index 6 out of range"):
        review.edit(job.pk, 6, {"risk": "safe"}, by=SAM)


@pytest.mark.parametrize("status", [s for s in ImportStatus if s not in ("done", "approved")])
def test_an_import_that_is_not_ready_is_not_edited(job: ImportJob, status: str) -> None:
    ImportJob.objects.update(status=status)
    before = stored(job)

    for call in (
        lambda: review.edit(job.pk, 0, {"risk": "money"}, by=SAM),
        lambda: review.edit_many(job.pk, None, {"risk": "money"}, SAM),
        lambda: review.look(job.pk, None, SAM),
    ):
        with pytest.raises(WrongStage, match="not ready to be reviewed"):
            call()

    assert stored(job) == before


def test_what_is_published_is_not_edited(job: ImportJob) -> None:
    publish(job.pk, SAM)
    before = stored(job)

    with pytest.raises(WrongStage, match="This import is published"):
        review.edit(job.pk, 0, {"risk": "money"}, by=SAM)

    assert stored(job) == before
