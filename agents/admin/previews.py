"""What the model gets: of an agent its prompt, of a tool its schema."""

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from agents import provider_limits, registry, tokens
from agents.models import Agent, Tool
from smartsupport.lib.console import identified

SAME = {"azure_openai": "openai", "offline": ""}
NAMES_TOLD = 20


class _Page:
    admin_site: Any
    opts: Any
    has_view_permission: Any

    def _page_context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts, "title": title}


class AgentPreviewPage(_Page):
    """Mixed into the agents' admin."""

    def get_urls(self) -> list[Any]:
        prompt = path(
            "<uuid:object_id>/prompt/", self.admin_site.admin_view(self.prompt), name="agents_agent_prompt"
        )
        return [prompt, *super().get_urls()]  # type: ignore[misc]

    def prompt(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """What is sent before anything is said, also for an agent that is off."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        agent = identified(Agent.objects.all(), object_id).first()
        if agent is None:
            raise Http404
        from agents import prompt_preview  # what asks models is loaded where models are asked

        spec, left_out = registry.spec_of(agent)
        preview = prompt_preview.of_agent(spec)
        more = len(left_out) - NAMES_TOLD
        context = {
            **self._page_context(request, f"What the model gets for {agent.name}"),
            "original": agent,
            "preview": preview,
            "most_chosen": prompt_preview.MOST_CHOSEN,
            "left_out": [*left_out[:NAMES_TOLD], *([f"and {more} more"] if more > 0 else [])],
        }
        return TemplateResponse(request, "agents/console/prompt.html", context)


class ToolPreviewPage(_Page):
    """Mixed into the tools' admin."""

    def get_urls(self) -> list[Any]:
        schema = path(
            "<uuid:object_id>/schema/", self.admin_site.admin_view(self.schema), name="agents_tool_schema"
        )
        return [schema, *super().get_urls()]  # type: ignore[misc]

    def schema(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """The tool as each provider is told of it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        tool = identified(Tool.objects.all(), object_id).first()
        if tool is None:
            raise Http404
        told = provider_limits.told(registry.tool_spec(tool))
        context = {
            **self._page_context(request, f"{tool.name} as the model sees it"),
            "original": tool,
            "told": told,
            "tokens": tokens.estimated(told[0].text),
            "bound": sorted(tool.bound),
            "requires": tool.requires,
            "provider": SAME.get(settings.LLM_PROVIDER, settings.LLM_PROVIDER),
        }
        return TemplateResponse(request, "agents/console/schema.html", context)
