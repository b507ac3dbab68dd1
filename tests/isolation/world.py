"""Two customers and their things. Everything personal of the first carries a marker, and a marker that turns up in an
answer to somebody else is a leak."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.utils import timezone

from agents import facts
from agents.models import (
    Action,
    Agent,
    ApprovalLink,
    Approver,
    Budget,
    Credential,
    ModelCall,
    ModelPrice,
    Tool,
)
from chat import api_keys
from chat.models import ApiKey, CannedReply, Conversation, Customer, Tag, Turn, WebhookDelivery
from openapi_import.models import ImportJob, ImportStatus, Publication, SpecSource
from smartsupport.lib import audit
from tests import rows
from tests.isolation.crowd import Crowd
from tests.isolation.routes import Ids

MARK = "xQ7secret"
TOUCHED_BY_ANY_REQUEST = {"django_session", "smartsupport_auditentry", "smartsupport_audithead"}
"""A refusal is recorded, too."""


@dataclass(frozen=True)
class World:
    owner: Customer
    stranger: Customer
    theirs: Ids
    """Of the owner: the stranger's callers try these."""
    own: Ids
    """Of the stranger."""
    nobodys: Ids
    crowd: Crowd | None = None
    """Who tries, where somebody does."""

    @property
    def for_staff(self) -> Ids:
        """The owner's, with an approval that staff decide."""
        waits = Action.objects.get(customer=self.owner, approver=Approver.STAFF)
        return replace(self.theirs, interrupt_id=str(waits.pk))


def mark(what: str) -> str:
    return f"{MARK}-{what}-{uuid4().hex[:6]}"


def plant() -> World:
    """A customer with a finished turn, an approval of their own and one of staff, and another with the same."""
    cancel = rows.tool("cancel_order")
    discount = rows.tool("apply_discount", approval=Approver.STAFF)
    agent = rows.agent("order_actions", cancel, discount, permission="write")
    owner = rows.customer(
        name=mark("name"), email=f"{mark('mail')}@example.com", attributes={"plan": mark("attribute")}
    )
    stranger = rows.customer(name="Eve Stranger")
    theirs = _things_of(owner, cancel, discount, agent, say=mark)
    own = _things_of(stranger, cancel, discount, agent, say=lambda what: f"plain {what}")
    number, unknown = "987654321", str(uuid4())
    nobodys = Ids(
        thread_id="nobodys-thread",
        turn_id=unknown,
        interrupt_id=unknown,
        row={label: number if value.isdecimal() else unknown for label, value in theirs.row.items()},
        name="no_such_agent",
        job_id=unknown,
        index="987654",
        source_name="no-such-source",
        publication_id=unknown,
        number=number,
        customer=unknown,
        customer_id=unknown,
        key_id=unknown,
        link_id=unknown,
        webhook_id=unknown,
        delivery_id=unknown,
        content_type_id="987654",
        app_label="openapi_import",
    )
    return World(owner, stranger, theirs, own, nobodys)


def _things_of(
    customer: Customer, cancel: Tool, discount: Tool, agent: Agent, *, say: Callable[[str], str]
) -> Ids:
    """`say` makes the customer's texts from a word."""
    turn = rows.turn(customer, content=say("message"))
    rows.happened(
        turn,
        facts.tool_called(
            agent=agent.name, tool="x", title="Look", args={"order_id": say("argument")}, call_id="call_1"
        ),
        facts.tool_returned(
            agent=agent.name, tool="x", call_id="call_1", ok=True, result={"to": say("result")}
        ),
        facts.handoff_requested(reason=say("handoff"), by="customer", key="handoff"),
    )
    rows.finish(turn, say("answer"), agent.name)
    Turn.objects.filter(pk=turn.pk).update(error=say("error"))
    waits = rows.turn(customer, turn.conversation.thread_id, say("second"))
    asked = rows.action(waits, cancel, order_id=say("order"))
    rows.action(waits, discount, order_id=say("discounted"), percent=10)
    Action.objects.filter(customer=customer).update(reason=say("reason"), result={"said": say("told")})
    Conversation.objects.filter(pk=turn.conversation_id).update(handoff_reason=say("why"))
    key, _ = api_keys.issue(name=say("key"), scopes=["conversations:read"])
    user = rows.staff(f"user-{uuid4().hex[:8]}")
    LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(Conversation),
        object_id=str(turn.conversation_id),
        object_repr=say("row"),
        action_flag=CHANGE,
        change_message=say("change"),
    )
    hook = rows.webhook_endpoint("import.done", description=say("hook"))
    delivery = WebhookDelivery.objects.create(
        endpoint=hook,
        conversation=turn.conversation,
        kind="test",
        payload={"said": say("body")},
        status="failed",
    )
    imported, publication = _imported(say)
    return Ids(
        thread_id=turn.conversation.thread_id,
        turn_id=str(waits.pk),
        interrupt_id=str(asked.pk),
        row={
            "chat.Conversation": str(turn.conversation_id),
            "chat.Customer": str(customer.pk),
            "chat.ApiKey": str(key.pk),
            "chat.WebhookEndpoint": str(hook.pk),
            "chat.WebhookDelivery": str(delivery.pk),
            "agents.Action": str(asked.pk),
            "agents.Agent": str(agent.pk),
            "agents.Tool": str(cancel.pk),
            "openapi_import.SpecSource": str(publication.source_id),
            "openapi_import.ImportJob": str(imported.pk),
            **_costs_of(turn, say),
            **_made_by_staff(publication.source, say),
            "auth.User": str(user.pk),
            "smartsupport.AuditEntry": str(
                audit.write(actor=audit.Actor("staff", str(user.pk), say("actor")), verb="look")
            ),
            "auth.Group": str(Group.objects.order_by("pk").values_list("pk", flat=True)[0]),
        },
        name=agent.name,
        job_id=str(imported.pk),
        index=str(imported.classifications.get().index),
        source_name=imported.name,
        publication_id=str(publication.pk),
        number=str(publication.number),
        customer=str(customer.subject),
        customer_id=str(customer.pk),
        key_id=str(key.pk),
        link_id=str(_link_of(waits, discount, say).pk),
        webhook_id=str(hook.pk),
        delivery_id=str(delivery.pk),
    )


def _link_of(turn: Turn, discount: Tool, say: Callable[[str], str]) -> ApprovalLink:
    """A link for the approval of the turn that staff decide."""
    action = Action.objects.get(turn=turn, tool=discount)
    return ApprovalLink.objects.create(
        token_hash=uuid4().hex,
        action=action,
        decider_name=say("decider"),
        arguments_hash=action.arguments_hash,
        made_by=say("maker"),
        made_by_id="user:1",
        expires_at=action.expires_at,
    )


def _costs_of(turn: Turn, say: Callable[[str], str]) -> dict[str, str]:
    """A call of a model for the turn's customer, a price and a limit: their ids, by the model's label."""
    of = turn.conversation
    call = ModelCall.objects.create(
        at=timezone.now(),
        conversation=of,
        customer=of.customer,
        turn=turn,
        agent=say("agent"),
        purpose="answer",
        provider="openai",
        model=say("model"),
        cost_micros=1_234,
        cost_source="provider",
    )
    price = ModelPrice.objects.create(
        provider="openai",
        model=say("priced"),
        effective_from=timezone.now() + timedelta(days=1),
        input_micros=1,
        output_micros=1,
    )
    limit = Budget.objects.create(scope="customer", customer=of.customer, period="day", limit_micros=10**9)
    return {
        "agents.ModelCall": str(call.pk),
        "agents.ModelPrice": str(price.pk),
        "agents.Budget": str(limit.pk),
    }


def _made_by_staff(source: SpecSource, say: Callable[[str], str]) -> dict[str, str]:
    """A credential, a canned reply and a tag: their ids, by the model's label."""
    credential = Credential.objects.create(
        source=source, scheme=say("scheme"), kind="api_key", created_by=say("by")
    )
    reply = CannedReply.objects.create(
        shortcut=say("shortcut").replace(" ", "-"), title=say("titled"), body=say("reply")
    )
    tag = Tag.objects.create(name=say("tag"))
    return {
        "agents.Credential": str(credential.pk),
        "chat.CannedReply": str(reply.pk),
        "chat.Tag": str(tag.pk),
    }


def _imported(say: Callable[[str], str]) -> tuple[ImportJob, Publication]:
    """An import of an API, ready to review, with one operation, whose index no other import has, and a publication."""
    source = SpecSource.objects.create(
        name=f"api-{uuid4().hex[:8]}",
        title=say("api"),
        document_hash="0" * 64,
        fetched_at=timezone.now(),
    )
    job = ImportJob.objects.create(
        name=source.name,
        source=source,
        spec_url=f"https://example.com/{say('document')}",
        status=ImportStatus.DONE,
        title=say("title"),
        total_endpoints=1,
        classified_count=1,
        usable_count=1,
        faults=[{"pointer": "#/paths", "message": say("fault"), "severity": "warning"}],
        faults_total=1,
        created_by=say("by"),
    )
    number = 1_000 + ImportJob.objects.count()
    job.classifications.create(
        index=number,
        operation_id=say("operation"),
        method="GET",
        path=f"/{say('path')}",
        summary=say("summary"),
        name=f"look_up_{number}",
        title=say("tool"),
        tool_description=say("described"),
        access_type="read",
        risk="safe",
        approval="none",
        agent_group="lookups",
        tool={"server_url": "https://example.com", "parameters": [], "input_schema": {"type": "object"}},
    )
    publication = Publication.objects.create(
        source=source,
        number=number,
        kind=Publication.Kind.PUBLISH,
        job=job,
        by_name=say("publisher"),
        note=say("note"),
    )
    return job, publication


def everything() -> dict[str, str]:
    """A hash of every table, ours or not, in one query."""
    tables = sorted(set(connection.introspection.table_names()) - TOUCHED_BY_ANY_REQUEST)
    hashes = (
        f"SELECT '{table}', count(*) || ':' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') "
        f'FROM "{table}" t'
        for table in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(hashes))
        return dict(cursor.fetchall())


def changed(before: dict[str, str]) -> list[str]:
    """The tables that are no longer what they were."""
    after = everything()
    return [table for table in after if after[table] != before.get(table)]


def used_just_now() -> None:
    """A key writes down when it was used, once a minute: that is no change that a refusal makes."""
    ApiKey.objects.update(last_used_at=timezone.now() + timedelta(seconds=1))
