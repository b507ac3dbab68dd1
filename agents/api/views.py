"""REST: approvals (interrupts) and the agents."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from agents import agents_yaml, approvals, repetition, settlement
from agents.agents_yaml_reading import AgentsYamlInvalid
from agents.api import examples
from agents.api import serializers as shapes
from agents.api.yaml_body import YAML_FILE, JsonWhateverAsked, YamlParser, yaml_text
from agents.models import Action, ActionQuerySet, ActionStatus, Agent
from smartsupport.lib.api_view import ApiView, require_match
from smartsupport.lib.envelope import BoundedJSONParser
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.etags import HEADER as IF_MATCH
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.rest import Need, between, held_to, one_page, read_body, read_query

DECISION_PROBLEMS = (
    approvals.ActionNotFound,
    approvals.NotAllowed,
    approvals.AlreadyDecided,
    approvals.ApprovalExpired,
    approvals.ArgumentsChanged,
    approvals.InvalidArguments,
    approvals.ToolChanged,
    approvals.ToolSwitchedOff,
)
INTERRUPT = OpenApiParameter(
    "interrupt_id",
    str,
    OpenApiParameter.PATH,
    description="From the list, a turn's `pending`, a frame, or `action_id` of a webhook.",
)
NAME = OpenApiParameter("name", str, OpenApiParameter.PATH, description="The agent's name.")
DECIDE = Need("interrupts:decide", "agents.decide_action")
READ_AGENTS = Need("agents:read", "agents.view_agent")


class AgentNotFound(ServiceError):
    code, status = "not_found", 404


def interrupts() -> ActionQuerySet:
    return Action.objects.select_related("tool", "turn__conversation")


def interrupt(interrupt_id: UUID | None) -> Action:
    """Raises ActionNotFound."""
    row = interrupts().filter(pk=interrupt_id).first() if interrupt_id else None
    if row is None:
        raise approvals.ActionNotFound()
    return row


class InterruptsView(ApiView):
    needs: ClassVar = {"GET": Need("interrupts:read", "agents.view_action")}
    narrows: ClassVar = frozenset({"GET"})
    answers: ClassVar = {"GET": examples.INTERRUPTS}

    @extend_schema(
        operation_id="interrupts_list",
        summary="List approvals",
        description="What waits is listed oldest first, everything else newest first.",
        tags=["Approvals"],
        parameters=[shapes.InterruptQuery],
        responses=shapes.InterruptPageSerializer,
    )
    def get(self, request: Request) -> Response:
        query = read_query(shapes.InterruptQuery, request)
        rows = interrupts().order_by("-created_at", "-id").filter(**between("created_at", query))
        if only := held_to(request.user):
            rows = rows.filter(customer_id=only)
        if tool := query.get("tool"):
            rows = rows.filter(tool_name=tool)
        if thread_id := query.get("conversation"):
            rows = rows.filter(turn__conversation__thread_id=thread_id)
        if customer := query.get("customer"):
            known = parse_uuid(customer)
            mine = Q(customer__subject=customer)
            rows = rows.filter(mine | Q(customer_id=known) if known else mine)
        if approver := query.get("approver"):
            rows = rows.filter(approver=approver)
        if outcome := query.get("outcome"):
            rows = rows.filter(
                status__in=[key for key, told in shapes.CARRIED_OUT.items() if told == outcome]
            )
        status = query.get("status")
        if status == "awaiting":
            rows = rows.awaiting().order_by("created_at", "id")
        elif status == "approved":
            rows = rows.filter(status__in=list(shapes.CARRIED_OUT))
        elif status:
            rows = rows.filter(status=ActionStatus(status))
        page, counts = one_page(rows, query)
        return Response({"interrupts": shapes.InterruptSerializer(page, many=True).data, **counts})


class InterruptView(ApiView):
    needs: ClassVar = {"GET": Need("interrupts:read", "agents.view_action")}
    answers: ClassVar = {"GET": examples.INTERRUPT}
    problems: ClassVar = {"GET": (approvals.ActionNotFound,)}

    @extend_schema(
        operation_id="interrupts_get",
        summary="One approval",
        tags=["Approvals"],
        parameters=[INTERRUPT],
        responses=shapes.InterruptSerializer,
    )
    def get(self, request: Request, interrupt_id: str) -> Response:
        return Response(shapes.InterruptSerializer(interrupt(parse_uuid(interrupt_id))).data)


class DecisionView(ApiView):
    needs: ClassVar = {"POST": DECIDE}
    answers: ClassVar = {"POST": examples.DECIDED}
    problems: ClassVar = {"POST": DECISION_PROBLEMS}
    parser_classes = [BoundedJSONParser]

    @extend_schema(
        operation_id="interrupts_decide",
        summary="Approve or decline what waits for staff",
        description=(
            "The first decision counts. A later one gets 409 with who was first, one that is too late 410. "
            "What the customer has to decide cannot be decided here (403), but at `answer`, with their own token. "
            "Nobody approves what they asked for themselves. Where two people have to agree, the first gets the "
            "approval back with `status` still `awaiting` and its `votes`. With `args`, it is approved with those "
            "arguments instead."
        ),
        tags=["Approvals"],
        parameters=[INTERRUPT],
        request=shapes.DecisionSerializer,
        responses=shapes.InterruptSerializer,
        examples=[
            OpenApiExample("Approve", value={"approved": True}, request_only=True),
            OpenApiExample(
                "Approve with other arguments",
                value={"approved": True, "args": {"order_id": 1042, "percent": 5}},
                request_only=True,
            ),
            OpenApiExample("Decline", value={"approved": False, "reason": "Not covered."}, request_only=True),
        ],
    )
    def post(self, request: Request, interrupt_id: str) -> Response:
        row = interrupt(parse_uuid(interrupt_id))
        body = read_body(shapes.DecisionSerializer, request)
        by = approvals.Decider.of(request.user)
        approvals.decide(
            action_id=row.pk,
            approved=body["approved"],
            by=by,
            reason=body["reason"],
            arguments=body.get("args"),
            seen=body.get("arguments_hash", ""),
        )
        return Response(shapes.InterruptSerializer(interrupt(row.pk)).data)


class SettlementView(ApiView):
    needs: ClassVar = {"POST": DECIDE}
    answers: ClassVar = {"POST": examples.SETTLED}
    problems: ClassVar = {"POST": (approvals.ActionNotFound, settlement.NotUnknown, settlement.MissingNote)}
    parser_classes = [BoundedJSONParser]

    @extend_schema(
        operation_id="interrupts_settle",
        summary="Record whether an action of unknown outcome took place",
        description=(
            "For an `outcome` of `unknown`, after somebody has looked in the business system. Nothing is sent, and the "
            "customer is not told. The first one counts: 409 `not_unknown` otherwise."
        ),
        tags=["Approvals"],
        parameters=[INTERRUPT],
        request=shapes.SettlementSerializer,
        responses=shapes.InterruptSerializer,
        examples=[
            OpenApiExample(
                "It did not happen",
                value={"happened": False, "note": "The ledger has no such entry."},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, interrupt_id: str) -> Response:
        row = interrupt(parse_uuid(interrupt_id))
        body = read_body(shapes.SettlementSerializer, request)
        settlement.settle(action_id=row.pk, by=approvals.Decider.of(request.user), **body)
        return Response(shapes.InterruptSerializer(interrupt(row.pk)).data)


class RepeatView(ApiView):
    needs: ClassVar = {"POST": DECIDE}
    answers: ClassVar = {"POST": examples.REPEATED}
    problems: ClassVar = {"POST": (approvals.ActionNotFound, settlement.NotUnknown, repetition.NotRepeatable)}
    outside: ClassVar = frozenset({"POST"})

    @extend_schema(
        operation_id="interrupts_repeat",
        summary="Send an action of unknown outcome again, where that is safe",
        description=(
            "With the same `Idempotency-Key`, so that the business system acts once. The answer comes when the "
            "business system has answered, or the tool's time limit is over: `outcome` is then what came of it, and "
            "still `unknown` where again nobody saw. 409 `not_repeatable` where the tool is not declared safe to send "
            "again, or is no longer the one that was approved; 409 `not_unknown` where the outcome is known."
        ),
        tags=["Approvals"],
        parameters=[INTERRUPT],
        request=None,
        responses=shapes.InterruptSerializer,
    )
    def post(self, request: Request, interrupt_id: str) -> Response:
        row = interrupt(parse_uuid(interrupt_id))
        repetition.repeat(action_id=row.pk, by=approvals.Decider.of(request.user))
        return Response(shapes.InterruptSerializer(interrupt(row.pk)).data)


def agents_with_tools() -> QuerySet[Agent]:
    return Agent.objects.prefetch_related("tool_links__tool")


class AgentsView(ApiView):
    needs: ClassVar = {"GET": READ_AGENTS}
    answers: ClassVar = {"GET": examples.AGENTS}

    @extend_schema(
        operation_id="agents_list",
        summary="All agents with their tools",
        tags=["Agents"],
        parameters=[shapes.AgentQuery],
        responses=shapes.AgentListSerializer,
    )
    def get(self, request: Request) -> Response:
        query = read_query(shapes.AgentQuery, request)
        rows = agents_with_tools()
        if "permission" in query:
            rows = rows.filter(permission=query["permission"])
        if "enabled" in query:
            rows = rows.filter(enabled=query["enabled"] == "true")
        if tool := query.get("tool"):
            rows = rows.filter(tools__name=tool)
        if text := query.get("q", "").strip():
            rows = rows.filter(Q(name__icontains=text) | Q(description__icontains=text))
        return Response({"agents": shapes.AgentSerializer(rows, many=True).data})


class AgentView(ApiView):
    needs: ClassVar = {"GET": READ_AGENTS}
    answers: ClassVar = {"GET": examples.AGENT}
    problems: ClassVar = {"GET": (AgentNotFound,)}

    @extend_schema(
        operation_id="agents_get",
        summary="One agent",
        tags=["Agents"],
        parameters=[NAME],
        responses=shapes.AgentSerializer,
    )
    def get(self, request: Request, name: str) -> Response:
        agent = agents_with_tools().filter(name=name).first() if "\0" not in name else None
        if agent is None:
            raise AgentNotFound("Agent not found")
        return Response(shapes.AgentSerializer(agent).data)


class AgentsImportView(ApiView):
    needs: ClassVar = {
        "POST": Need("agents:write", "agents.change_agent", also=("agents.add_agent", "agents.delete_agent"))
    }
    answers: ClassVar = {"POST": examples.AGENTS}
    problems: ClassVar = {"POST": (AgentsYamlInvalid,)}
    matched: ClassVar = frozenset({"POST"})
    parser_classes = [BoundedJSONParser, MultiPartParser, YamlParser]

    @extend_schema(
        operation_id="agents_import",
        summary="Replace the agents by a YAML document",
        description=(
            "Taken whole or refused whole: every fault is listed with its line. Send the YAML as the body "
            "(`application/yaml`), as a multipart `file`, or as JSON `{yaml}`."
        ),
        tags=["Agents"],
        request={
            "application/json": shapes.ImportSerializer,
            "application/yaml": {
                "type": "string",
                "format": "binary",
                "contentMediaType": "application/yaml",
            },
            "multipart/form-data": {
                "type": "object",
                "properties": {"file": {"type": "string", "format": "binary"}},
                "required": ["file"],
            },
        },
        responses=shapes.AgentListSerializer,
        examples=[
            OpenApiExample("As JSON", value={"yaml": examples.YAML}, request_only=True),
            OpenApiExample("As it is", value=examples.YAML, media_type="application/yaml", request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        by = approvals.Decider.of(request.user).name
        text = yaml_text(request)
        agents_yaml.import_agents(
            text, by=by, why="Imported through the API.", check=lambda: _require_match(request)
        )
        return Response({"agents": shapes.AgentSerializer(agents_with_tools(), many=True).data})


def _require_match(request: Request) -> None:
    """`If-Match` may be of the list or of the file. Raises PreconditionFailed (412)."""
    if IF_MATCH in request.headers:
        listed = {"agents": shapes.AgentSerializer(agents_with_tools(), many=True).data}
        require_match(request, listed, agents_yaml.export_agents().encode())


class AgentsExportView(ApiView):
    needs: ClassVar = {"GET": READ_AGENTS}
    content_negotiation_class = JsonWhateverAsked

    @extend_schema(
        operation_id="agents_export",
        summary="The agents as YAML",
        description="What this returns can be imported again. The only answer that is not an envelope.",
        tags=["Agents"],
        responses={(200, "application/yaml"): OpenApiResponse(YAML_FILE, description="The agents YAML.")},
    )
    def get(self, request: Request) -> HttpResponse:
        return yaml_download(agents_yaml.export_agents())


def yaml_download(text: str) -> HttpResponse:
    headers: dict[str, Any] = {"Content-Disposition": 'attachment; filename="agents.yaml"'}
    return HttpResponse(text, content_type="application/yaml; charset=utf-8", headers=headers)
