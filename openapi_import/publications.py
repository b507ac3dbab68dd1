"""Live tools are paused, resumed and deleted. Each time is a Publication, and all publications wait for each other."""

from collections.abc import Callable, Collection
from uuid import UUID

import structlog
from django.db import transaction

from agents import approvals
from agents.approvals import Decider, NotAllowed
from agents.history.recording import recorded_as
from agents.models import Action, AgentTool, Credential, Tool
from openapi_import import group_agents, many_rows, tool_state
from openapi_import.entries import change
from openapi_import.many_rows import among
from openapi_import.models import Publication, SpecSource
from openapi_import.publish import lock_publishing, record
from openapi_import.same_documents import DOCUMENT
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.text import shorten

log = structlog.get_logger(__name__)

Kind = Publication.Kind
REASON = 200


class SourceNotFound(ServiceError):
    code, status, message = "not_found", 404, "There is no such API."


class NothingToDo(ServiceError):
    code, status = "nothing_to_do", 409


def pause(
    source_id: UUID, by: Decider, *, tools: Collection[UUID] | None = None, reason: str = ""
) -> Publication:
    """Switch tools of a source off until they are resumed; None: all of them. What waits for a decision cannot be
    approved meanwhile. Raises NotAllowed, SourceNotFound and NothingToDo."""
    why = tool_state.PAUSED_BY + by.name + (f": {reason}" if reason.strip() else ".")

    def switch(tool: Tool) -> None:
        if tool.enabled:
            tool.enabled, tool.paused_because = False, shorten(why, 300)

    return _switch(source_id, by, tools, Kind.PAUSE, switch, "They are switched off already.", reason)


def resume(source_id: UUID, by: Decider, *, tools: Collection[UUID] | None = None) -> Publication:
    """Switch tools on again. None: those that were paused, not what staff or a publication had switched off, nor what
    means something else by now and waits for a look; named ones whatever they were off for. A tool that was deleted
    stays so. Raises as `pause` does."""

    def switch(tool: Tool) -> None:
        if tools is None and tool_state.paused(tool) and tool_state.waits_for_a_look(tool):
            tool.paused_because = tool_state.CHANGED
        elif (tools is not None or tool_state.paused(tool)) and not tool_state.retired(tool):
            tool.enabled, tool.paused_because = True, ""

    return _switch(source_id, by, tools, Kind.RESUME, switch, "None of them is paused.", "")


def delete(source_id: UUID, by: Decider, *, tools: Collection[UUID] | None = None) -> Publication:
    """Retire tools: no agent has them any more, and they are shown nowhere but in what they once did. An agent that
    came with an import and has none left is switched off. None: all of the source, and its credentials. What waits for
    a decision on one of them is declined, which its customer is told. A document that is published again brings them
    back, as new ones. Raises as `pause` does."""
    if by.kind != "staff":
        raise NotAllowed("Not allowed to delete tools")
    with recorded_as(by.name, "Deleted the tools of an API."):
        source, found = _locked(source_id, tools)
        retired = [tool for tool in found if not tool_state.retired(tool)]
        secrets = Credential.objects.filter(source=source) if tools is None else Credential.objects.none()
        if not retired and not secrets.exists():
            raise NothingToDo("They are deleted already.")
        changes = []
        for tool in retired:
            before = tool_state.state(tool)
            tool.enabled, tool.paused_because = False, tool_state.DELETED
            changes.append(change(tool, before, "deleted"))
        tool_state.store_fields(retired, tool_state.SWITCHES)
        names = {tool.pk: tool.name for tool in retired}
        links = AgentTool.objects.filter(tool_id__in=among(names, "uuid")).select_related("agent")
        unlinked = [
            {"agent": link.agent.name, "tool": names[link.tool_id], "change": "unlinked"}
            for link in links.order_by("position", "id")
        ]
        many_rows.delete(AgentTool.objects.filter(tool_id__in=among(names, "uuid")))
        secrets.delete()
        off = group_agents.switch_off_empty(entry["agent"] for entry in unlinked)
        made = record(source, Kind.DELETE, by, changes=changes, agents=unlinked + off)
    log.info("tools_deleted", source=source.name, count=len(retired), by=by.name)
    _decline(names, by)
    return made


def _decline(names: dict[UUID, str], by: Decider) -> None:
    """Decline what waits on tools that are gone, one transaction each. One that fails cannot be approved any more
    either, and expires."""
    waiting = Action.objects.awaiting().filter(tool_id__in=among(names, "uuid")).order_by("created_at")
    for action_id in waiting.values_list("pk", flat=True):
        try:
            with transaction.atomic():
                action = approvals.locked(action_id)
                if approvals.expire(action):
                    continue
                if action.approver != "staff":
                    approvals.reopen(action, approvals.drift(action))
                approvals.decide(
                    action_id=action_id,
                    approved=False,
                    by=by,
                    reason=f"{action.tool.title} is no longer offered.",
                )
        except ServiceError:  # somebody decided first, or it has expired
            continue
        except Exception:  # the others are declined all the same
            log.exception("waiting_action_not_declined", action_id=str(action_id))


def _switch(
    source_id: UUID,
    by: Decider,
    tools: Collection[UUID] | None,
    kind: Kind,
    switch: Callable[[Tool], None],
    otherwise: str,
    note: str,
) -> Publication:
    if by.kind != "staff":
        raise NotAllowed("Not allowed to pause or resume tools")
    with recorded_as(by.name, f"{kind.label}. {note}".strip()):
        source, found = _locked(source_id, tools)
        changed, changes = [], []
        for tool in found:
            before = tool_state.state(tool)
            switch(tool)
            if tool_state.state(tool) != before:
                changed.append(tool)
                changes.append(change(tool, before, "paused" if kind == Kind.PAUSE else "resumed"))
        if not changed:
            raise NothingToDo(f"Nothing was changed. {otherwise}")
        tool_state.store_fields(changed, tool_state.SWITCHES)
        made = record(source, kind, by, changes=changes, note=shorten(note, REASON))
    log.info(f"tools_{changes[0]['change']}", source=source.name, count=len(changed), by=by.name)
    return made


def _locked(source_id: UUID, tools: Collection[UUID] | None) -> tuple[SpecSource, list[Tool]]:
    """The source and its tools, while nobody else changes what is live. Raises SourceNotFound, also for tools of
    another source."""
    lock_publishing()
    source = SpecSource.objects.filter(pk=source_id).first()
    if source is None:
        raise SourceNotFound()
    locked = Tool.objects.select_for_update(no_key=True).filter(source=source).order_by("pk")
    rows = locked.defer(*DOCUMENT)
    if tools is None:
        return source, list(rows)
    found = list(rows.filter(pk__in=among(set(tools), "uuid")))
    if len(found) != len(set(tools)):
        raise SourceNotFound("There is no such tool of this API.")
    return source, found
