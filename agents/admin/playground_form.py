"""What is tried out: the message, whom it is from, and the agent as it is or as a draft would make it."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q, QuerySet
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from agents import agent_faults, registry, tool_faults
from agents.admin.fields import LinesField, as_written, whole_number
from agents.context import Said
from agents.models import Access, Action, Agent, AgentTool, Approver, Tool, name_validator
from agents.playground.drafts import Draft, Rule
from agents.playground.trial import Trial
from agents.registry import AgentSpec, ToolSpec, tool_spec
from smartsupport.lib.ids import parse_uuid
from smartsupport.lib.text import storable

RULES_MOST = 40
SAID_MOST, TEXT_MOST = 60, 8000
ROLES = ("customer", "agent", "record")
NEEDED = [(1, "One person"), (2, "Two people")]


def text(label: str, rows: int = 0, **more: Any) -> forms.CharField:
    widget = UnfoldAdminTextareaWidget(attrs={"rows": rows}) if rows else UnfoldAdminTextInputWidget()
    return forms.CharField(label=label, widget=widget, **{"required": False, **more})


@dataclass(frozen=True)
class RuleFields:
    """The fields of one tool's rule, as the page shows them."""

    tool: Tool
    approval: Any
    argument: Any
    amount: Any
    needed: Any


class PlaygroundForm(forms.Form):
    """`trial()` is what to carry out. Fields of a draft are there where an agent is chosen."""

    message = text(
        "Message", 3, required=True, max_length=4000, error_messages={"required": "Write a message."}
    )
    memory = forms.CharField(required=False, widget=forms.HiddenInput, max_length=600_000)
    customer = text(
        "As which customer",
        help_text="Their id in your systems, as their tools are bound to it. Empty: a visitor whom nobody knows.",
        max_length=255,
    )
    reads = forms.BooleanField(
        label="Really call tools that read",
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Asks the business systems for this customer. Tools that write are never called here.",
    )
    approver_says = forms.ChoiceField(
        label="What approvers would say",
        choices=[("yes", "They agree"), ("no", "They decline")],
        widget=UnfoldAdminSelectWidget,
        required=False,
    )
    agent = forms.CharField(required=False, widget=forms.HiddenInput)
    direct = forms.BooleanField(
        label="Ask this agent directly",
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Otherwise the message is routed among all agents, as in a conversation.",
    )
    description = text("Description", 4)
    permission = forms.ChoiceField(
        choices=Access.choices, required=False, widget=UnfoldAdminSelectWidget, label="May"
    )
    tone = text("Tone", max_length=300)
    greeting = text("Greeting", max_length=500)
    escalation_message = text("When it hands over", max_length=500)
    model = text("Model", max_length=120, help_text="Empty: the deployment's model.")
    keywords = LinesField(
        required=False, label="Keywords, one per line", widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
    )
    tools = LinesField(
        required=False,
        label="Tools, one name per line",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
    )

    def __init__(self, *args: Any, user: User | AnonymousUser, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sees_customers = user.has_perm("chat.view_customer")
        if not self.sees_customers:
            del self.fields["customer"], self.fields["reads"]
        self._sees_tools = user.has_perm("agents.view_tool")
        self.name = str(self["agent"].value() or "")
        self.rules = self._rule_fields() if self.name else []
        self._business_id = ""
        self._specs: tuple[ToolSpec, ...] = ()

    def _rule_fields(self) -> list[RuleFields]:
        """A rule for each tool of the draft that writes."""
        # Not checked yet, and the database refuses what cannot be stored.
        names: list[str] = storable(LinesField().to_python(self._text("tools")))
        writing = self._tools(names).filter(access=Access.WRITE, enabled=True).order_by("name")
        return [self._rule_of(tool) for tool in writing[:RULES_MOST]]

    def _tools(self, names: Collection[str]) -> QuerySet[Tool]:
        """Those with these names; for who may not look at tools only what the agent has already."""
        found = Tool.objects.filter(name__in=names)
        own = AgentTool.objects.filter(agent__name=storable(self.name)).values("tool")
        return found if self._sees_tools else found.filter(pk__in=own)

    def _text(self, name: str) -> str:
        value = self[name].value()
        return "\n".join(value) if isinstance(value, list) else str(value or "")

    def _rule_of(self, tool: Tool) -> RuleFields:
        key = f"rule-{tool.name}"
        approvers = [one for one in Approver.choices if one[0] != Approver.NONE]
        self.fields[f"{key}-approval"] = forms.ChoiceField(
            label=f"Who approves {tool.title}",
            choices=approvers,
            initial=tool.approval,
            required=False,
            widget=UnfoldAdminSelectWidget,
        )
        self.fields[f"{key}-argument"] = text(
            f"Staff decide on {tool.title} when this argument",
            initial=tool.staff_above_argument,
            max_length=64,
        )
        self.fields[f"{key}-amount"] = forms.DecimalField(
            label=f"of {tool.title} is above",
            initial=tool.staff_above_amount,
            required=False,
            max_digits=14,
            decimal_places=2,
            widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
        )
        self.fields[f"{key}-needed"] = forms.TypedChoiceField(
            label=f"How many must approve {tool.title}",
            choices=NEEDED,
            coerce=int,
            empty_value=str(tool.approvals_needed),
            initial=tool.approvals_needed,
            required=False,
            widget=UnfoldAdminSelectWidget,
        )
        parts = ("approval", "argument", "amount", "needed")
        return RuleFields(tool, *(self[f"{key}-{part}"] for part in parts))

    def clean_customer(self) -> str:
        """The business's id of a customer who is here."""
        wanted: str = self.cleaned_data["customer"].strip()
        if not wanted:
            return ""
        customers: Any = Action._meta.get_field("customer").related_model
        known = parse_uuid(wanted)
        found = customers.objects.filter(
            Q(subject=wanted) | Q(pk=known) if known else Q(subject=wanted)
        ).first()
        if found is None or not found.business_id:
            raise forms.ValidationError(
                "No customer has this id. Copy it from the customer's page: “Known as”."
            )
        self._business_id = found.business_id
        return wanted

    def clean_memory(self) -> dict[str, Any]:
        try:
            memory = json.loads(self.cleaned_data["memory"] or "{}")
        except ValueError:
            memory = {}
        return readable_memory(memory)

    def clean_model(self) -> str:
        return agent_faults.model_name(self.cleaned_data["model"])

    def clean_keywords(self) -> list[str]:
        return agent_faults.keywords(self.cleaned_data["keywords"])

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if self.name:
            self._check_draft(values)
        if values.get("reads") and not self._business_id and "customer" not in self.errors:
            self.add_error(
                "customer", "Say as which customer: tools that read are called for one customer only."
            )
        return values

    def _check_draft(self, values: dict[str, Any]) -> None:
        try:
            name_validator(self.name)
        except forms.ValidationError as refused:
            self.add_error(None, refused)
        if not values.get("description", "").strip() and "description" not in self.errors:
            self.add_error("description", "Say what the agent is for.")
        names = list(dict.fromkeys(values.get("tools", [])))
        known = {tool.name: tool for tool in self._tools(names)}
        faults = agent_faults.of_tools(names, known, values.get("permission") or Access.READ)
        for fault in faults:
            self.add_error("tools", fault)
        if not faults:
            self._specs = tuple(tool_spec(known[name]) for name in names)
        for fields in self.rules:
            self._check_rule(fields, values)

    def _check_rule(self, fields: RuleFields, values: dict[str, Any]) -> None:
        argument, amount = values.get(fields.argument.name, ""), values.get(fields.amount.name)
        if fault := tool_faults.of_limit(fields.tool, argument, amount):
            self.add_error(fields.argument.name, fault)

    def trial(self) -> Trial:
        """What the valid form asks for. Two statements where nothing has changed."""
        values, memory = self.cleaned_data, self.cleaned_data["memory"]
        live = registry.current()
        draft = self._draft() if self.name else None
        return Trial(
            message=as_written(values["message"]),
            registry=draft.among(live) if draft else live,
            history=tuple(Said(**line) for line in memory["said"]),
            agent=self.name if self.name and values["direct"] else "",
            live_agent=memory["live_agent"],
            bindings={"customer.id": self._business_id} if self._business_id else {},
            reads=bool(values.get("reads")),
            approves=values["approver_says"] != "no",
            rules=draft.rules if draft else {},
            used=tuple(memory["used"]),
            succeeded=frozenset(memory["succeeded"]),
        )

    def _draft(self) -> Draft:
        values = self.cleaned_data
        spec = AgentSpec(
            name=self.name,
            description=as_written(values["description"]),
            permission=values["permission"] or Access.READ,
            tone=values["tone"],
            greeting=values["greeting"],
            escalation_message=values["escalation_message"],
            keywords=tuple(values["keywords"]),
            model=values["model"],
            tools=self._specs,
        )
        rules = {
            one.tool.name: Rule(
                approval=values[one.approval.name] or one.tool.approval,
                above_argument=values[one.argument.name],
                above_amount=values[one.amount.name],
                approvals_needed=int(values[one.needed.name]),
            )
            for one in self.rules
        }
        return Draft(spec, rules)


def readable_memory(memory: Any) -> dict[str, Any]:
    """What was said and done in the messages before, as a browser sends it back, in bounds."""
    given = storable(memory) if isinstance(memory, dict) else {}
    said = [
        {"role": line["role"], "text": str(line["text"])[:TEXT_MOST]}
        for line in _listed(given.get("said"))
        if isinstance(line, dict) and line.get("role") in ROLES and "text" in line
    ]
    return {
        "said": said[-SAID_MOST:],
        "live_agent": str(given.get("live_agent") or "")[:64],
        "used": [str(name)[:64] for name in _listed(given.get("used"))[-SAID_MOST:]],
        "succeeded": [str(name)[:64] for name in _listed(given.get("succeeded"))[-SAID_MOST:]],
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def initial_of(agent: Agent) -> dict[str, Any]:
    """The draft as the agent is now."""
    links = AgentTool.objects.filter(agent=agent, tool__enabled=True).order_by("position", "id")
    return {
        "agent": agent.name,
        "direct": True,
        "tools": list(links.values_list("tool__name", flat=True)),
        **{
            name: getattr(agent, name)
            for name in (
                "description",
                "permission",
                "tone",
                "greeting",
                "escalation_message",
                "model",
                "keywords",
            )
        },
    }


def initial_of_edit(agent: Agent | None, posted: Any) -> dict[str, Any]:
    """The draft as the form of an agent's page has it, unsaved. Tools on other pages of the form are as they are."""
    initial = (
        initial_of(agent) if agent else {"agent": posted.get("name", "").strip(), "direct": True, "tools": []}
    )
    for name in ("description", "permission", "tone", "greeting", "escalation_message", "model", "keywords"):
        if name in posted:
            initial[name] = posted[name]
    places = {str(one.pk): (one.position, str(one.tool_id)) for one in _links(agent)}
    fresh: list[tuple[int, str]] = []
    for number in range(min(whole_number(posted.get("tool_links-TOTAL_FORMS")) or 0, 1000)):
        row = f"tool_links-{number}-"
        link_id, tool_id = posted.get(row + "id", ""), posted.get(row + "tool", "")
        places.pop(link_id, None)
        if tool_id and parse_uuid(tool_id) and not posted.get(row + "DELETE"):
            fresh.append((whole_number(posted.get(row + "position")) or 0, tool_id))
    ordered = [tool_id for _, tool_id in sorted([*places.values(), *fresh], key=lambda one: one[0])]
    names = {str(pk): name for pk, name in Tool.objects.filter(pk__in=ordered).values_list("pk", "name")}
    initial["tools"] = list(dict.fromkeys(names[one] for one in ordered if one in names))
    return initial


def _links(agent: Agent | None) -> Iterable[AgentTool]:
    return AgentTool.objects.filter(agent=agent) if agent else ()
