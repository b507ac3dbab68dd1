"""REST: what models cost, by customer, and what staff do to budgets. A customer may ask for their own percentage."""

from typing import Any, ClassVar, cast
from uuid import NAMESPACE_URL, uuid5

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from agents.approvals import Decider
from agents.spending import changes
from agents.spending.limits import standings
from agents.spending.models import BudgetChange
from chat import customers, held
from chat.api import examples
from chat.api import usage_reads as reads
from chat.api import usage_shapes as shapes
from chat.api.own import AUTHENTICATION, MayCallOrOwn, TokenHolder
from chat.api.serializers import idempotency_key
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.rest import Need, decider_id, held_to, read_body, read_query

READ = Need("usage:read", "agents.view_modelcall")
WRITE = Need("usage:write", "agents.change_budget")
CHANGE_PROBLEMS = (
    customers.CustomerNotFound,
    changes.MissingReason,
    changes.ImpossibleAmount,
    changes.UnknownPeriod,
    changes.EndsInThePast,
    changes.KeyReused,
)
CUSTOMER = OpenApiParameter(
    "customer", str, OpenApiParameter.PATH, description="A customer's `id` here, or your own (`sub`)."
)


class UsageView(ApiView):
    needs: ClassVar = {"GET": READ}
    answers: ClassVar = {"GET": examples.USAGE}

    @extend_schema(
        operation_id="usage_list",
        summary="What models have cost: the deployment, and customers, dearest first",
        description="Customers for whom a model was called since Monday. A `customer` with a limit but no call this "
        "week is under `usage/{customer}`.",
        tags=["Usage"],
        parameters=[shapes.UsageQuery],
        responses=shapes.UsagePageSerializer,
    )
    def get(self, request: Request) -> Response:
        query = read_query(shapes.UsageQuery, request)
        return Response({"deployment": reads.deployment(), **reads.page(query)})


class CustomerUsageView(ApiView):
    needs: ClassVar = {"GET": READ}
    answers: ClassVar = {"GET": examples.CUSTOMER_USAGE}
    problems: ClassVar = {"GET": (customers.CustomerNotFound,)}
    authentication_classes = AUTHENTICATION
    permission_classes = [MayCallOrOwn]

    @extend_schema(
        operation_id="usage_get",
        summary="What one customer has cost, and their limits",
        description="With the customer's own token (`Authorization: Bearer …`): how much of each limit is used, in "
        "percent, and when it begins anew; no amounts. Another customer's usage does not exist for them (404).",
        tags=["Usage"],
        parameters=[CUSTOMER],
        responses=PolymorphicProxySerializer(
            "Usage",
            [shapes.CustomerUsageSerializer, shapes.OwnUsageSerializer],
            resource_type_field_name=None,
        ),
        examples=[OpenApiExample("With the customer's token", value=examples.OWN_USAGE, response_only=True)],
    )
    def get(self, request: Request, customer: str) -> Response:
        row, asking = customers.named(customer), cast(Any, request.user)
        if isinstance(asking, TokenHolder):
            own = standings([row.pk], deployment=False)
            return Response({"limits": [shapes.own_limit(one) for one in own if not one.exempt]})
        [told] = reads.told([row.pk])
        return Response(told)


class _ChangeView(ApiView):
    needs: ClassVar = {"POST": WRITE}
    narrows: ClassVar = frozenset({"POST"})
    problems: ClassVar = {"POST": CHANGE_PROBLEMS}
    kind: ClassVar[str]

    def changed(self, request: Request, body: dict[str, Any], change: Any, **values: Any) -> Response:
        """Carry `change` out for whom the body names. An `Idempotency-Key` that was used finds what it did."""
        named = body.get("customer")
        customer_id = customers.named(named).pk if named is not None else None
        if (only := held_to(request.user)) is not None:
            if customer_id is None:
                raise held.not_about_one()
            if customer_id != only:
                raise customers.CustomerNotFound()
        key = idempotency_key(request)
        known = uuid5(NAMESPACE_URL, f"{decider_id(request.user)} {self.kind} {key}") if key else None
        row: BudgetChange = change(
            customer_id=customer_id,
            reason=body["reason"],
            by_name=Decider.of(request.user).name,
            id=known,
            **values,
        )
        found = standings([customer_id] if customer_id else [], deployment=customer_id is None)
        return Response(shapes.changed(row, found), status=status.HTTP_201_CREATED)


class GrantsView(_ChangeView):
    kind = "grant"
    answers: ClassVar = {"POST": examples.GRANTED}

    @extend_schema(
        operation_id="budgets_grant",
        summary="Grant a customer or the deployment more, in the period that is now",
        tags=["Usage"],
        request=shapes.GrantSerializer,
        responses={201: shapes.ChangedSerializer},
        examples=[
            OpenApiExample(
                "Five dollars more today",
                value={"customer": "cus_1001", "period": "day", "amount_usd": 5, "reason": "A long claim"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        body = read_body(shapes.GrantSerializer, request)
        return self.changed(request, body, changes.grant, period=body["period"], micros=body["amount_usd"])


class ResetsView(_ChangeView):
    kind = "reset"
    answers: ClassVar = {"POST": examples.RESET}

    @extend_schema(
        operation_id="budgets_reset",
        summary="Let what was spent until now no longer count, in the period that is now",
        tags=["Usage"],
        request=shapes.ResetSerializer,
        responses={201: shapes.ChangedSerializer},
        examples=[
            OpenApiExample(
                "Our own fault",
                value={"customer": "cus_1001", "period": "day", "reason": "An agent went in circles"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        body = read_body(shapes.ResetSerializer, request)
        return self.changed(request, body, changes.reset, period=body["period"])


class ExemptionsView(_ChangeView):
    kind = "exemption"
    answers: ClassVar = {"POST": examples.EXEMPTED}

    @extend_schema(
        operation_id="budgets_exempt",
        summary="Let no limit count for a customer or the deployment, or end that",
        description="An exempt customer is still bound by the deployment's budget.",
        tags=["Usage"],
        request=shapes.ExemptionSerializer,
        responses={201: shapes.ChangedSerializer},
        examples=[
            OpenApiExample(
                "Until the end of the fair",
                value={"customer": "cus_1001", "until": "2026-12-01T00:00:00Z", "reason": "Trade fair"},
                request_only=True,
            ),
            OpenApiExample(
                "End it", value={"customer": "cus_1001", "exempt": False, "reason": "Over"}, request_only=True
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        body = read_body(shapes.ExemptionSerializer, request)
        if body["exempt"]:
            return self.changed(request, body, changes.exempt, until=body["until"])
        return self.changed(request, body, changes.end_exemption)
