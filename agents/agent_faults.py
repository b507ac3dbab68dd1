"""What is wrong with an agent as it is to be, in words. Nothing is read or written here."""

import re
from collections.abc import Collection, Iterable, Mapping

from django.core.exceptions import ValidationError

from agents.agents_yaml_reading import UNSTORABLE
from agents.models import Access, Tool
from agents.retired import retired

KEYWORDS_MOST, KEYWORD_MOST = 100, 100
DESCRIPTION_MOST = 4000
_MODEL = re.compile(r"[!-~]{1,120}", re.ASCII)


def model_name(name: str) -> str:
    """The name, trimmed. Raises ValidationError for what no provider calls a model."""
    name = name.strip()
    if name and not _MODEL.fullmatch(name):
        raise ValidationError(
            "A model's name has no blanks and only plain letters, digits and signs, as its provider writes it: "
            "gpt-5.4-mini."
        )
    return name


def keywords(words: Iterable[str]) -> list[str]:
    """Each once. Raises ValidationError for too many, and for one that is too long or cannot be stored."""
    found = list(dict.fromkeys(words))
    faults = []
    if len(found) > KEYWORDS_MOST:
        faults.append(f"There are {len(found)} keywords. Give at most {KEYWORDS_MOST}: the likeliest ones.")
    faults += [
        f"“{word[:30]}…” is longer than {KEYWORD_MOST} characters. A keyword is a word or two."
        for word in found
        if len(word) > KEYWORD_MOST
    ]
    faults += [f"“{word[:30]}” contains a control character." for word in found if UNSTORABLE.search(word)]
    if faults:
        raise ValidationError(faults)
    return found


def of_text(text: str, most: int | None = None) -> str:
    """A sentence about what cannot be stored in this text, or imported again after an export; "" for nothing."""
    if UNSTORABLE.search(text):
        return "This contains a control character. Type it anew instead of pasting it."
    if most is not None and len(text) > most:
        return f"This has {len(text):,} characters. At most {most:,} are read."
    return ""


def of_tool(tool: Tool, permission: str, *, had: bool = False) -> str:
    """Why an agent with this permission cannot have the tool; "" where it can. `had`: it has it already."""
    if retired(tool) and not had:
        return f"{tool.name} was deleted. Import its document again to have it back."
    if not tool.enabled and not had:
        why = f" ({tool.paused_because.rstrip('.')})" if tool.paused_because else ""
        return f"{tool.name} is switched off{why}, so the agent could not use it. Switch it on first."
    if permission == Access.READ and tool.access == Access.WRITE:
        return f"{tool.name} writes, and this agent only reads. Remove it, or let the agent write."
    return ""


def of_tools(names: Collection[str], known: Mapping[str, Tool], permission: str) -> list[str]:
    """What is wrong with these tools of an agent, by name."""
    unknown = [f"There is no tool named {name}." for name in names if name not in known]
    return unknown + [
        fault for name in names if name in known and (fault := of_tool(known[name], permission))
    ]
