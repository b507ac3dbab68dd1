"""REST: links that ask one person to decide on one approval."""

from datetime import timedelta
from typing import Any, ClassVar

from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from agents.api.views import DECIDE, INTERRUPT, interrupt
from agents.approvals import ActionNotFound, AlreadyDecided, ApprovalExpired, Decider, NotAllowed
from agents.links import making
from agents.models import ApprovalLink
from smartsupport.lib.api_view import ApiView
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.rest import Need, StrictCharField, read_body

LINK = OpenApiParameter("link_id", str, OpenApiParameter.PATH, description="The link's `id`; not its token.")
LONGEST_MINUTES = 60 * 24 * 30
STATE = serializers.ChoiceField(["open", "used", "withdrawn", "over"])
DECISION = serializers.ChoiceField(["approved", "rejected"], allow_null=True)
EXAMPLE = {
    "id": "0191a3c4-7a52-7c1e-9a55-0d7a6f0c9e11",
    "interrupt_id": "0191a3c4-1111-7c1e-9a55-0d7a6f0c9e11",
    "decider": "vera",
    "email": "",
    "without_account": False,
    "state": "open",
    "expires_at": "2026-11-20T09:30:00Z",
    "made_by": "API key Ticket robot",
    "created_at": "2026-11-20T09:00:00Z",
    "used_at": None,
    "decision": None,
}


class NewLinkSerializer(serializers.Serializer[Any]):
    username = StrictCharField(default="", max_length=150, help_text="A member of staff who may decide.")
    name = StrictCharField(
        default="",
        max_length=120,
        help_text="Instead: somebody without an account, where APPROVAL_LINKS_WITHOUT_ACCOUNT allows it.",
    )
    email = serializers.EmailField(required=False, help_text="Theirs. It is recorded; no mail is sent.")
    expires_in_minutes = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=1,
        max_value=LONGEST_MINUTES,
        help_text="No link outlives its approval.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs["username"]) == bool(attrs["name"]):
            raise serializers.ValidationError({"username": ["Give either username or name."]})
        if attrs["username"] and attrs.get("email"):
            raise serializers.ValidationError({"email": ["Only for somebody without an account."]})
        return attrs


class LinkSerializer(serializers.ModelSerializer[ApprovalLink]):
    interrupt_id = serializers.UUIDField(source="action_id")
    decider = serializers.CharField(source="decider_name", help_text="Whom it asks: a user name, or a name.")
    email = serializers.CharField(source="decider_email")
    without_account = serializers.BooleanField(source="may_decide_without_account")
    state = serializers.SerializerMethodField()
    decision = serializers.SerializerMethodField()

    class Meta:
        model = ApprovalLink
        fields = [
            "id",
            "interrupt_id",
            "decider",
            "email",
            "without_account",
            "state",
            "expires_at",
            "made_by",
            "created_at",
            "used_at",
            "decision",
        ]

    def get_state(self, link: ApprovalLink) -> STATE:  # type: ignore[valid-type]
        return making.state_of(link)

    def get_decision(self, link: ApprovalLink) -> DECISION:  # type: ignore[valid-type]
        return link.decision or None


class MadeLinkSerializer(LinkSerializer):
    url = serializers.CharField(help_text="The link itself. It is not shown again.")

    class Meta(LinkSerializer.Meta):
        fields = [*LinkSerializer.Meta.fields, "url"]


class LinksSerializer(serializers.Serializer[Any]):
    links = LinkSerializer(many=True)


class LinksView(ApiView):
    needs: ClassVar = {"GET": Need("interrupts:read", "agents.view_action"), "POST": DECIDE}
    answers: ClassVar = {"POST": {**EXAMPLE, "url": "https://support.example.com/decide/apl_…"}}
    problems: ClassVar = {
        "GET": (ActionNotFound,),
        "POST": (
            ActionNotFound,
            AlreadyDecided,
            ApprovalExpired,
            NotAllowed,
            making.NoSuchDecider,
            making.AccountNeeded,
            making.TooManyLinks,
        ),
    }

    @extend_schema(
        operation_id="interrupts_links",
        summary="The links that were made for an approval, newest first",
        tags=["Approvals"],
        parameters=[INTERRUPT],
        responses=LinksSerializer,
        examples=[OpenApiExample("One link", value={"links": [EXAMPLE]}, response_only=True)],
    )
    def get(self, request: Request, interrupt_id: str) -> Response:
        links = interrupt(parse_uuid(interrupt_id)).links.all()[:200]
        return Response({"links": LinkSerializer(links, many=True).data})

    @extend_schema(
        operation_id="interrupts_make_link",
        summary="Make a link by which one person can decide, once",
        description=(
            "The person is a member of staff (`username`), who has to be signed in, or somebody without an account "
            "(`name`), where the deployment allows that. The link is for the call as it is now and ends with the "
            "approval. Opening it decides nothing. `url` is in this answer and nowhere else; send it yourself."
        ),
        tags=["Approvals"],
        parameters=[INTERRUPT],
        request=NewLinkSerializer,
        responses={201: MadeLinkSerializer},
        examples=[
            OpenApiExample(
                "Ask a colleague", value={"username": "vera", "expires_in_minutes": 30}, request_only=True
            ),
            OpenApiExample(
                "Ask somebody without an account",
                value={"name": "Vera Stone", "email": "vera@example.com"},
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request, interrupt_id: str) -> Response:
        row = interrupt(parse_uuid(interrupt_id))
        body = read_body(NewLinkSerializer, request)
        minutes = body["expires_in_minutes"]
        link, token = making.make(
            action_id=row.pk,
            person=making.Person(body["username"], body["name"], body.get("email", "")),
            by=Decider.of(request.user),
            lives=timedelta(minutes=minutes) if minutes else None,
        )
        url = request.build_absolute_uri(reverse("approval-link", args=[token]))
        answer = {**LinkSerializer(link).data, "url": url}
        return Response(answer, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class LinkView(ApiView):
    needs: ClassVar = {"DELETE": DECIDE}
    problems: ClassVar = {"DELETE": (ActionNotFound, making.LinkNotFound)}

    @extend_schema(
        operation_id="interrupts_withdraw_link",
        summary="Withdraw a link that was not used",
        description="Answers the link; the same where it was withdrawn or used before.",
        tags=["Approvals"],
        parameters=[INTERRUPT, LINK],
        responses={200: LinkSerializer},
        examples=[
            OpenApiExample("Withdrawn", value={**EXAMPLE, "state": "withdrawn"}, response_only=True),
        ],
    )
    def delete(self, request: Request, interrupt_id: str, link_id: str) -> Response:
        row = interrupt(parse_uuid(interrupt_id))
        known = parse_uuid(link_id)
        if known is None:
            raise making.LinkNotFound()
        making.revoke(action_id=row.pk, link_id=known, by=Decider.of(request.user))
        return Response(LinkSerializer(row.links.get(pk=known)).data)
