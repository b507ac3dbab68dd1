"""What is said in the place of an agent that was switched off while its turn waited for a person."""

from langchain_core.messages import AIMessage, ToolMessage

from agents.context import Journal
from agents.turn_state import State

NOTHING_DONE = "I can no longer help with this here. Please ask again, or ask for a person."
DONE = "What was approved has been carried out."
NOBODY_KNOWS = (
    "Nobody knows yet whether what was approved took place: our staff will check, "
    "so please do not ask for it again."
)
NO_MORE = "I can no longer help with anything more here. Ask for a person if you need one."


def last_words(state: State, journal: Journal) -> str:
    """Nobody is told to ask again for what was done, or may have been."""
    done = unknown = False
    for message in reversed(state.get("messages", [])):
        if isinstance(message, AIMessage):
            break  # of what came before it, the agent has spoken
        known = journal.recorded(f"tool:{message.tool_call_id}") if isinstance(message, ToolMessage) else None
        if known is not None and "action_id" in known.payload:
            done = done or known.payload["ok"]
            unknown = unknown or known.payload.get("error", {}).get("kind") == "unknown"
    said = [DONE] * done + [NOBODY_KNOWS] * unknown
    return " ".join([*said, NO_MORE]) if said else NOTHING_DONE
