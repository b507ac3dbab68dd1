"""The review table: what it shows, what people can change in it, and what they cannot."""

import json
import re
from html import unescape
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from openapi_import import difference, review
from openapi_import.models import Change, Classification, ImportJob, ImportStatus
from tests import rows
from tests.admin import import_rows
from tests.admin.test_every_action import everything
from tests.admin.test_imports import ALL, APP, url

pytestmark = pytest.mark.django_db

SCRIPTED = {"HX-Request": "true"}


@pytest.fixture
def sam(client: Client) -> Client:
    """A member of staff who may look at imports and review them."""
    client.force_login(rows.staff("sam", f"{APP}.view_importjob", f"{APP}.change_importjob"))
    return client


@pytest.fixture
def job() -> ImportJob:
    """Six operations: two reads, a write, one to look at, one left out, one that can be no tool."""
    made = import_rows.job()
    import_rows.operation(made, name="get_invoice", customer_params={"customer_id": "customer.id"})
    import_rows.operation(made, "/reports", name="list_reports", agent_group="reports", summary="All reports")
    import_rows.writing(made, "/refunds", name="refund", risk="money", reason="A refund moves money.")
    import_rows.writing(
        made, "/search", name="search", uncertain=True, confidence=0.48, agent_group="reports"
    )
    import_rows.operation(made, "/health", name="health", selected=False)
    import_rows.operation(made, "/file", name="file", unusable="It has no address.")
    return made


def table(client: Client, job: ImportJob, **asked: Any) -> Any:
    return client.get(url("review", job), asked)


def listed(answer: Any) -> list[str]:
    return [row.name for row in answer.context["page"]]


def row_of(job: ImportJob, name: str) -> Classification:
    return Classification.objects.get(job=job, name=name)


def edit(client: Client, row: Classification, query: str = "", **fields: Any) -> Any:
    """As a person does who has the dialog of this row before them, and changes some of its fields."""
    shown = {
        "_form_submitted": "True",
        "title": row.title,
        "access_type": row.access_type,
        "approval": row.approval,
        "risk": row.risk,
        "agent_group": row.agent_group,
        "customer": list(row.customer_params),
        "name": row.name,
        "tool_description": row.tool_description,
        "seen": row.revision,
        **({"selected": "on"} if row.selected else {}),
    }
    return client.post(url("edit", row.job, row.index) + query, {**shown, **fields}, headers=SCRIPTED)


def edit_many(client: Client, job: ImportJob, query: str = "", **fields: Any) -> Any:
    return client.post(url("edit_many", job) + query, fields, headers=SCRIPTED)


def told(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def test_what_needs_a_look_stands_first_the_rest_as_in_the_document(sam: Client, job: ImportJob) -> None:
    answer = table(sam, job)

    assert listed(answer) == ["search", "get_invoice", "list_reports", "refund", "health", "file"]
    page = answer.content.decode()
    for shown in (
        "Needs a look",
        "48 %",
        "93 %",
        "A refund moves money.",
        "Moves money",
        "It has no address.",
    ):
        assert shown in page, shown
    assert "4 of 6 operations would be tools" in page


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"which": "look"}, ["search"]),
        ({"which": "writes"}, ["search", "refund"]),
        ({"which": "reads"}, ["get_invoice", "list_reports", "health"]),
        ({"which": "out"}, ["health"]),
        ({"which": "unusable"}, ["file"]),
        ({"which": "nonsense"}, ["search", "get_invoice", "list_reports", "refund", "health", "file"]),
        ({"group": "reports"}, ["search", "list_reports"]),
        ({"group": "reports", "which": "reads"}, ["list_reports"]),
        ({"q": "REFUND"}, ["refund"]),
        ({"q": "get all reports"}, ["list_reports"]),
        ({"q": "100%_nothing"}, []),
        ({"which": "changed"}, []),
    ],
    ids=str,
)
def test_filters(sam: Client, job: ImportJob, asked: dict[str, str], wanted: list[str]) -> None:
    assert listed(table(sam, job, **asked)) == wanted


def test_what_a_document_says_is_shown_and_never_run(sam: Client, job: ImportJob) -> None:
    evil = "<img src=x onerror=alert(1)>"
    Classification.objects.filter(job=job).update(
        summary=evil, reason=evil, description=evil, losses=[evil], agent_group="reports", title=evil
    )
    row = row_of(job, "get_invoice")

    for answer in (
        table(sam, job),
        sam.get(url("operation", job, row.index)),
        sam.get(url("edit", job, row.index)),
    ):
        assert "&lt;img src=x" in answer.content.decode()
        assert "<img src=x" not in answer.content.decode()


def test_many_rows_come_in_pages_with_few_queries(sam: Client) -> None:
    made = import_rows.job()
    first = import_rows.operation(made)
    fields = {
        field.attname: getattr(first, field.attname) for field in first._meta.fields if field.attname != "id"
    }
    Classification.objects.bulk_create(
        Classification(**{**fields, "index": n, "name": f"op_{n}"}) for n in range(1, 250)
    )

    with CaptureQueriesContext(
        connection,
    ) as asked:
        page = table(sam, made, page=2)

    assert len(asked) <= 15
    assert listed(page)[0] == "op_100"
    assert len(listed(page)) == 100
    assert "101 to 200 of 250" in page.content.decode()
    assert len(listed(table(sam, made, page="99999"))) == 50
    heavy = [
        query["sql"] for query in asked if '"tool"' in query["sql"] and "openapi_import_cl" in query["sql"]
    ]
    assert heavy == []  # schemas can be large, and the table shows none


def test_details_show_the_tool_as_the_model_sees_it(sam: Client, job: ImportJob) -> None:
    row = row_of(job, "get_invoice")

    piece = sam.get(url("operation", job, row.index), headers=SCRIPTED)
    page = sam.get(url("operation", job, row.index) + "?which=reads")

    seen = json.loads(piece.context["seen"])
    assert seen["name"] == "get_invoice"
    assert list(seen["parameters"]["properties"]) == ["invoice_id"]  # the customer's is filled in by us
    assert seen["parameters"]["required"] == ["invoice_id"]
    assert [(one.name, one.filled_by) for one in piece.context["arguments"]] == [
        ("invoice_id", "The agent"),
        ("customer_id", "Smart Support"),
    ]
    assert "<html" not in piece.content.decode()
    assert f"{url('review', job)}?which=reads" in page.content.decode()


def test_a_changed_operation_shows_each_difference(sam: Client, job: ImportJob) -> None:
    row = row_of(job, "get_invoice")
    row.change, row.difference = Change.CHANGED, [
        {"field": "argument currency", "was": None, "now": {"type": "string"}, "meaning": True},
        {"field": "title", "was": "Old words", "now": "New words", "meaning": False},
    ]  # fmt: skip
    row.save()

    assert listed(table(sam, job, which="changed")) == ["get_invoice"]
    shown = sam.get(url("operation", job, row.index), headers=SCRIPTED)

    assert [(what, meant) for what, _, _, meant in shown.context["difference"]] == [
        ("Argument currency", True),
        ("In plain words", False),
    ]
    assert "Old words" in shown.content.decode()


def test_an_earlier_decision_that_would_be_judged_otherwise_now_says_so(sam: Client, job: ImportJob) -> None:
    row = row_of(job, "get_invoice")
    otherwise = "It would be judged otherwise now: writes, moves money; approves: staff."
    places = (url("review", job), url("operation", job, row.index), url("edit", job, row.index))

    def said() -> list[bool]:
        return [otherwise in sam.get(place, headers=SCRIPTED).content.decode() for place in places]

    assert said() == [False] * 3
    row.judged |= {"access_type": "write", "risk": "money", "approval": "staff"}
    row.judged_by = "kept"
    row.save()
    assert said() == [True] * 3
    row.judged_by = "staff"  # then somebody has seen it
    row.save()
    assert said() == [False] * 3


def test_editing_one_operation(sam: Client, job: ImportJob) -> None:
    row = row_of(job, "search")

    answer = edit(sam, row, "?which=look", access_type="read", approval="none", risk="personal",
                  title="Search the notes", agent_group="", customer=["customer_id"])  # fmt: skip

    row.refresh_from_db()
    assert (row.access_type, row.approval, row.risk, row.title) == (
        "read",
        "none",
        "personal",
        "Search the notes",
    )
    assert (row.agent_group, row.customer_params) == ("", {"customer_id": "customer.id"})
    assert (row.uncertain, row.reviewed_by, row.judged_by) == (False, "sam", "staff")
    assert row.judged["access_type"] == "write"
    assert (answer["HX-Retarget"], answer["HX-Reselect"]) == ("#review", "#review")
    assert json.loads(answer["HX-Trigger-After-Settle"]) == {"review-saved": {"index": row.index}}
    assert listed(answer) == []  # the table as it was filtered, where it needs no look any more
    assert "Saved: POST /search." in answer.content.decode()


def test_saving_without_a_change_is_a_look(sam: Client, job: ImportJob) -> None:
    row = row_of(job, "search")

    edit(sam, row)

    row.refresh_from_db()
    assert (row.uncertain, row.reviewed_by, row.access_type) == (False, "sam", "write")


def test_without_scripts_an_edit_leads_back_to_the_table(sam: Client, job: ImportJob) -> None:
    row = row_of(job, "refund")
    posted = {"_form_submitted": "True", "title": "Give money back", "selected": "on", "access_type": "write"}
    posted |= {"approval": "customer", "risk": "money", "agent_group": "refunds", "name": "refund"}
    posted |= {"tool_description": "Gives money back.", "seen": str(row.revision)}

    answer = sam.post(url("edit", job, row.index) + "?which=writes&page=1", posted)

    row.refresh_from_db()
    assert answer["Location"] == f"{url('review', job)}?which=writes"
    assert (row.approval, told(answer)) == ("customer", "Saved: POST /refunds.")


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("refund", {"approval": "none"}, "What writes needs an approver"),
        ("get_invoice", {"approval": "staff"}, "What only reads needs nobody"),
        ("refund", {"access_type": "maybe"}, "Select a valid choice"),
        ("refund", {"risk": ""}, "This field is required"),
        ("refund", {"name": "get_invoice"}, "There is already a tool named"),
        ("refund", {"name": "no spaces"}, "Use 1 to 64 letters"),
        ("refund", {"agent_group": "a/b"}, "Use 1 to 64 letters"),
        ("refund", {"customer": ["amount"]}, "Select a valid choice"),
        ("refund", {"title": ""}, "This field is required"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said_in_the_dialog_and_nothing_changes(
    sam: Client, job: ImportJob, name: str, fields: dict[str, Any], words: str
) -> None:
    row = row_of(job, name)
    before = everything()

    answer = edit(sam, row, **fields)

    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert 'id="dialog"' in answer.content.decode()
    assert everything() == before


FURTHER: dict[str, Any] = {
    "further": "True",
    "confirmation": "",
    "approvals_needed": "1",
    "read_back": "",
    "requires": "",
    "projection": "",
}
"""What the folded part of the dialog sends where nothing in it was changed."""


def with_amount(row: Classification) -> Classification:
    schema = row.tool["input_schema"]
    schema["properties"] |= {"amount": {"type": "number"}, "note": {"type": "string"}}
    schema["required"].append("amount")
    row.save()
    return row


def test_limits_and_whatever_else_the_api_can_change_are_edited(sam: Client, job: ImportJob) -> None:
    row = with_amount(row_of(job, "refund"))
    dialog = sam.get(url("edit", job, row.index)).content.decode()
    choices = dialog.split('name="staff_above_argument"')[1].split("</select>")[0]
    assert re.findall(r'<option value="([^"]*)"', choices) == ["", "amount"]
    fields = {"confirmation": "Give {amount} back", "approvals_needed": "2", "staff_above_argument": "amount"}
    fields |= {"staff_above_amount": "99.5", "repeat_safe": "on", "read_back": "get_invoice"}
    fields |= {"requires": "get_invoice\n list_reports ", "projection": "id\nitems[].total"}

    edit(sam, row, **FURTHER | fields)

    row.refresh_from_db()
    decided = {
        "confirmation": "Give {amount} back",
        "approvals_needed": 2,
        "staff_above_argument": "amount",
        "staff_above_amount": "99.50",
        "repeat_safe": True,
        "read_back": "get_invoice",
        "requires": ["get_invoice", "list_reports"],
        "projection": ["id", "items[].total"],
    }
    assert difference.decided(row) == decided
    assert row.revision == 1

    edit(
        sam, row, **FURTHER | fields | {"staff_above_amount": "20"}
    )  # what it shows is what stands: one is changed
    row.refresh_from_db()
    assert difference.decided(row) == decided | {"staff_above_amount": "20.00"}

    edit(sam, row)  # from a page that had no such fields
    row.refresh_from_db()
    assert difference.decided(row) == decided | {"staff_above_amount": "20.00"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"confirmation": "Give {note} back"}, "is no required argument"),
        ({"staff_above_argument": "amount"}, "Give both the argument and the amount"),
        ({"staff_above_amount": "5"}, "Give both the argument and the amount"),
        ({"staff_above_argument": "note", "staff_above_amount": "5"}, "Select a valid choice"),
        ({"staff_above_argument": "amount", "staff_above_amount": "-1"}, "greater than or equal to 0"),
        ({"approvals_needed": "3"}, "Select a valid choice"),
        ({"requires": "nothing_like_it"}, "There is no other tool named"),
        ({"requires": "refund"}, "There is no other tool named"),
        ({"read_back": "search"}, "Select a valid choice"),
        ({"projection": "a" * 201}, "at most 200 characters"),
    ],
    ids=str,
)
def test_what_cannot_be_among_them_is_said_where_it_is_folded(
    sam: Client, job: ImportJob, fields: dict[str, str], words: str
) -> None:
    row = with_amount(row_of(job, "refund"))
    before = everything()

    page = edit(sam, row, **FURTHER | fields).content.decode()

    assert words in unescape(page)
    assert re.search(r'<details class="imports-more imports-further"\s+open>', page)
    assert everything() == before


def test_the_dialog_shows_what_staff_have_made_of_the_live_tool(sam: Client, job: ImportJob) -> None:
    reading = rows.reading_tool("look")
    live = rows.tool("live", operation_id="refund", path="/refunds", confirmation="Really?", read_back=reading,
                     approvals_needed=2, repeat_safe=True)  # fmt: skip
    ImportJob.objects.filter(pk=job.pk).update(source=live.source, name=live.source.name)
    row = row_of(job, "refund")
    difference.compare(ImportJob.objects.get(pk=job.pk))
    row.refresh_from_db()

    form = sam.get(url("edit", job, row.index)).context["form"]

    shown = {
        name: form[name].value() for name in ("confirmation", "read_back", "approvals_needed", "repeat_safe")
    }
    assert shown == {
        "confirmation": "Really?",
        "read_back": "look",
        "approvals_needed": 2,
        "repeat_safe": True,
    }
    before = row.revision
    edit(sam, row, **FURTHER | shown | {"repeat_safe": "on", "title": "Money back"})
    row.refresh_from_db()
    assert (row.revision, difference.decided(row)) == (before + 1, {"title": "Money back"})


def test_a_delete_becomes_a_read_only_where_somebody_says_so(sam: Client, job: ImportJob) -> None:
    row = import_rows.writing(job, "/things", method="DELETE", name="drop")
    reads = {"access_type": "read", "approval": "none", "risk": "safe"}

    refused = edit(sam, row, **reads)
    row.refresh_from_db()
    assert "DELETE changes something by its nature" in refused.content.decode()
    assert (row.access_type, row.revision) == ("write", 0)

    edit(sam, row, confirm_read="on", **reads)
    row.refresh_from_db()
    assert row.access_type == "read"


def test_who_is_slower_sees_what_the_other_made_of_it(sam: Client, job: ImportJob) -> None:
    row = row_of(job, "refund")
    review.edit(job.pk, row.index, {"risk": "destructive"}, by="kim")

    refused = edit(sam, row, approval="customer")

    row.refresh_from_db()
    assert (row.approval, row.risk, row.reviewed_by) == ("staff", "destructive", "kim")
    page = refused.content.decode()
    assert "Somebody else has changed this meanwhile" in page
    assert "destructive" in page
    assert f'name="seen" value="{row.revision}"' in page

    again = edit(sam, row, approval="customer")
    row.refresh_from_db()
    assert (row.approval, row.reviewed_by) == ("customer", "sam")
    assert again["HX-Retarget"] == "#review"


def test_changing_what_is_ticked(sam: Client, job: ImportJob) -> None:
    ticked = [row_of(job, name).index for name in ("refund", "search")]

    answer = edit_many(sam, job, index=ticked, approval="customer", agent_group="money", do="change")

    changed = Classification.objects.filter(job=job, agent_group="money")
    assert sorted(changed.values_list("name", "approval")) == [("refund", "customer"), ("search", "customer")]
    assert "Changed 2 operations." in answer.content.decode()


def test_changing_all_that_match_reaches_those_of_other_pages_and_no_others(
    sam: Client, job: ImportJob
) -> None:
    answer = edit_many(sam, job, "?group=reports", all="1", selected="no", do="change")

    out = Classification.objects.filter(job=job, selected=False)
    assert sorted(out.values_list("name", flat=True)) == ["health", "list_reports", "search"]
    assert "Changed 2 operations." in answer.content.decode()
    assert row_of(job, "search").uncertain  # leaving out is no look

    edit_many(sam, job, all="1", do="look")
    assert not Classification.objects.filter(job=job, uncertain=True).exists()
    assert row_of(job, "file").reviewed_by == ""  # what can be no tool was not looked at


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"do": "change", "risk": "money"}, "Tick the operations first"),
        ({"do": "change", "index": ["0"]}, "Choose first what is to change"),
        ({"do": "change", "index": ["0", "2"], "approval": "customer"}, "Nothing was changed"),
        ({"do": "change", "index": ["2"], "access_type": "write", "approval": "none"}, "needs an approver"),
        ({"do": "change", "index": ["2"], "agent_group": "a b"}, "Use 1 to 64 letters"),
        ({"do": "change", "index": ["77"], "risk": "money"}, "out of range"),
        ({"do": "change", "index": ["x", "-1"], "risk": "money"}, "Tick the operations first"),
        ({"do": "look"}, "Tick the operations first"),
    ],
    ids=str,
)
def test_a_change_of_many_happens_whole_or_not_at_all(
    sam: Client, job: ImportJob, fields: dict[str, Any], words: str
) -> None:
    before = everything()

    answer = edit_many(sam, job, **fields)

    assert words in answer.content.decode()
    assert "HX-Trigger-After-Settle" not in answer.headers
    assert everything() == before


@pytest.mark.parametrize("status", [ImportStatus.APPROVED, ImportStatus.PARSING])
def test_only_an_import_that_is_ready_is_changed(sam: Client, job: ImportJob, status: str) -> None:
    ImportJob.objects.update(status=status)
    row = row_of(job, "refund")
    before = everything()

    answers = [edit(sam, row, risk="safe"), edit_many(sam, job, index=["2"], risk="safe", do="change")]

    for answer in answers:
        assert "This import is" in answer.content.decode()
    assert everything() == before
    looked = table(sam, job)
    if status == ImportStatus.APPROVED:
        assert url("edit", job, row.index) not in looked.content.decode()
    else:
        assert looked["Location"] == url("change", job)


def test_who_may_only_look_changes_nothing(client: Client, job: ImportJob) -> None:
    client.force_login(rows.staff("nina", *[f"{APP}.{one}" for one in ALL if one != "change_importjob"]))
    row = row_of(job, "refund")
    before = everything()

    asked = [
        client.get(url("edit", job, row.index)),
        edit(client, row, risk="safe"),
        edit_many(client, job, index=["2"], risk="safe", do="change"),
        edit_many(client, job, all="1", do="look"),
    ]

    assert [answer.status_code for answer in asked] == [403] * 4
    page = table(client, job).content.decode()
    assert "Details" in page
    for hidden in ("imports-edit", 'id="bulk"', 'name="index"'):
        assert hidden not in page
    assert everything() == before


def test_visitors_and_forgers_change_nothing(job: ImportJob) -> None:
    row = row_of(job, "refund")
    visitor, forged = Client(), Client(enforce_csrf_checks=True)
    forged.force_login(rows.staff("root", superuser=True))
    before = everything()

    assert edit(visitor, row, risk="safe")["Location"].startswith(reverse("admin:login"))
    assert edit_many(visitor, job, all="1", do="look")["Location"].startswith(reverse("admin:login"))
    assert edit(forged, row, risk="safe").status_code == 403
    assert edit_many(forged, job, all="1", do="look").status_code == 403
    assert everything() == before


def test_what_is_not_there_is_not_found(sam: Client, job: ImportJob) -> None:
    other = import_rows.job()

    for name, more in (("operation", [99]), ("edit", [99])):
        assert sam.get(url(name, job, *more)).status_code == 404
    assert sam.get(url("edit", other, 0)).status_code == 404
    gone = import_rows.job()
    ImportJob.objects.filter(pk=gone.pk).delete()
    assert table(sam, gone).status_code == 404
