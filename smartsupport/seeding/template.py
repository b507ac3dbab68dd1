"""The template's agents, loaded once: agents that staff have touched are never replaced."""

from django.conf import settings
from django.db import transaction

from agents import registry
from agents.agents_yaml import AgentsYamlInvalid, entries_of, lock_agents, stored_entries


@transaction.atomic
def load_chosen_template() -> str:
    """Load TEMPLATE_NAME where there are no agents, or those of another template just as it came.

    Returns a sentence for the person who started this; empty where there was nothing to do. Raises
    AgentsYamlInvalid where the template's tools are missing.
    """
    lock_agents()
    chosen = settings.TEMPLATE_NAME
    stored = stored_entries()
    if not stored:
        registry.load_template(chosen)
        return f"template {chosen} loaded"
    untouched = [name for name in registry.available_templates() if _entries(name) == stored]
    if chosen in untouched or not untouched:
        return ""
    registry.load_template(chosen)
    return f"template {chosen} loaded in place of {untouched[0]}"


def _entries(template: str) -> object:
    """The agents of a template, or None where one of its tools is gone: then it is not what is loaded."""
    try:
        return entries_of(registry.template_text(template))
    except AgentsYamlInvalid:
        return None
