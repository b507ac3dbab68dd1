"""The playground: one message through the graph, on agents as they are or as a draft would make them."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path

from agents.admin.playground_form import (
    RULES_MOST,
    PlaygroundForm,
    initial_of,
    initial_of_edit,
    readable_memory,
)
from agents.models import Agent
from agents.playground.limits import MOST_A_MINUTE, admits
from agents.playground.trial import LIMIT_SECONDS, Step, Trial
from agents.providers import configuration_problem, model_label
from agents.spending import limits
from smartsupport.lib.console import identified
from smartsupport.lib.text import storable

STREAM = "application/x-ndjson"
USED_UP = (
    "The budget of the whole deployment is used up, and trials cost, too. It begins anew on {until} UTC. "
    "Whoever may change budgets can grant more, under Costs, Budgets."
)
TOO_MANY = f"You may try {MOST_A_MINUTE} messages a minute. Wait a moment."


class PlaygroundPages:
    """Mixed into the agents' admin. Every page needs the permission to change agents, and changes none."""

    admin_site: Any
    opts: Any
    has_change_permission: Any

    def playground_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("playground/", wrap(self.playground), name="agents_agent_playground"),
            path("playground/run/", wrap(self.playground_run), name="agents_agent_playground_run"),
        ]

    def playground(self, request: HttpRequest) -> HttpResponse:
        """Empty, for an agent (`?agent=<id>`), or with what somebody has typed on an agent's page and not saved."""
        self._may_try(request)
        agent = identified(Agent.objects.all(), request.GET.get("agent")).first()
        posted = request.POST
        if "from_playground" in posted:
            form = PlaygroundForm(
                initial={**posted.dict(), "memory": posted.get("memory", "")}, user=request.user
            )
            return self._page(request, form)
        if request.method == "POST":
            return self._page(
                request, PlaygroundForm(initial=initial_of_edit(agent, posted), user=request.user)
            )
        initial = initial_of(agent) if agent else {}
        return self._page(request, PlaygroundForm(initial=initial, user=request.user))

    playground.allowed_permissions = ("change",)  # type: ignore[attr-defined]

    def playground_run(self, request: HttpRequest) -> HttpResponseBase:
        """The trial, as lines of JSON while it runs, or as a page when it has ended where no script reads lines."""
        self._may_try(request)
        if request.method != "POST":
            return self.playground(request)
        form = PlaygroundForm(request.POST, user=request.user)
        if not form.is_valid():
            return self._page(request, form, status=422)
        try:
            limits.check(None)
        except limits.UsageLimitReached as refusal:
            form.add_error(
                None, USED_UP.format(until=f"{refusal.extra['resets_at']:.16}".replace("T", " at "))
            )
            return self._page(request, form, status=refusal.status)
        if not admits(request.user.get_username()):
            form.add_error(None, TOO_MANY)
            return self._page(request, form, status=429)
        trial, memory = form.trial(), form.cleaned_data["memory"]
        if request.headers.get("Accept", "") == STREAM:
            # Proxies are told not to collect it.
            headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
            asynchronous = isinstance(request, ASGIRequest)
            lines = _lines(trial, memory) if asynchronous else _lines_in_turn(trial, memory)
            return StreamingHttpResponse(lines, content_type=STREAM, headers=headers)
        from agents.playground.streaming import (
            steps_in_turn,
        )  # what asks models is loaded where models are asked

        told = list(steps_in_turn(trial))
        return self._page(request, _after(request, form, told, memory), told=told)

    playground_run.allowed_permissions = ("change",)  # type: ignore[attr-defined]

    def _may_try(self, request: HttpRequest) -> None:
        if not self.has_change_permission(request):
            raise PermissionDenied

    def _page(
        self, request: HttpRequest, form: PlaygroundForm, *, status: int = 200, told: list[Step] | None = None
    ) -> HttpResponse:
        memory = readable_memory(_loaded(form["memory"].value()))
        shown = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Try out {form.name}" if form.name else "Playground",
            "form": form,
            "memory": json.dumps(memory, ensure_ascii=False),
            "said": memory["said"][: -_added(told)] if told else memory["said"],
            "steps": [_html(step) for step in told or () if step.kind != "end"],
            "names": list(Agent.objects.order_by("position", "name").values_list("pk", "name")),
            "model": model_label(),
            "problem": configuration_problem(),
            "seconds": round(LIMIT_SECONDS),
            "rules_most": RULES_MOST,
        }
        return TemplateResponse(request, "agents/console/playground.html", shown, status=status)


async def _lines(trial: Trial, memory: dict[str, Any]) -> AsyncIterator[str]:
    """{"html"} of each step, and at the end {"memory", "told"}."""
    from agents.playground.streaming import steps  # as above

    async for step in steps(trial):
        yield _line(step, memory)


def _lines_in_turn(trial: Trial, memory: dict[str, Any]) -> Iterator[str]:
    from agents.playground.streaming import steps_in_turn  # as above

    for step in steps_in_turn(trial):
        yield _line(step, memory)


def _line(step: Step, memory: dict[str, Any]) -> str:
    ended = step.kind == "end"
    line = {"memory": _grown(memory, step), "told": step.title} if ended else {"html": _html(step)}
    return json.dumps(line, ensure_ascii=False) + "\n"


def _html(step: Step) -> str:
    shown = {"step": step, "payload": step.payload}
    return str(storable(render_to_string("agents/console/playground_step.html", shown)))


def _grown(memory: dict[str, Any], end: Step) -> dict[str, Any]:
    """What the next message has to know."""
    added = end.payload
    if not added:
        return memory
    return readable_memory({**added, "said": [*memory["said"], *added["said"]]})


def _added(told: list[Step]) -> int:
    return len(told[-1].payload.get("said", ())) or -1_000_000


def _after(
    request: HttpRequest, form: PlaygroundForm, told: list[Step], memory: dict[str, Any]
) -> PlaygroundForm:
    """The form for the next message."""
    grown = json.dumps(_grown(memory, told[-1]), ensure_ascii=False)
    return PlaygroundForm(initial={**request.POST.dict(), "message": "", "memory": grown}, user=request.user)


def _loaded(text: Any) -> Any:
    try:
        return json.loads(text or "{}")
    except (TypeError, ValueError):
        return {}
