"""Chat models: `chat_model()` gives the one that the settings choose, `as_outage` tells why it failed.

No provider's package is imported before it is chosen, and no connection is opened before the first call.
"""

import asyncio
import os
from threading import Lock
from typing import TYPE_CHECKING, Any

from django.conf import settings

from agents.providers import catalogue
from agents.providers.build import (
    Choice,
    ProviderNotConfigured,
    ProviderNotInstalled,
    chosen,
    host_of,
    installed,
    missing,
    new_model,
)
from agents.providers.catalogue import REASONING
from agents.providers.outages import ModelUnavailable, as_outage

if TYPE_CHECKING:  # a third of a second, which only those who ask a model have to wait for
    from langchain_core.language_models import BaseChatModel

__all__ = [
    "REASONING",
    "ModelUnavailable",
    "ProviderNotConfigured",
    "ProviderNotInstalled",
    "answered_by",
    "as_outage",
    "chat_model",
    "close_models",
    "configuration_problem",
    "model_label",
]

# Connections belong to the event loop that opened them, so a model is kept per loop; None is synchronous use.
_of_loop: dict[asyncio.AbstractEventLoop | None, dict[Choice, "BaseChatModel"]] = {}
_lock = Lock()


def _keep_conversations_here() -> None:
    """Tracing is on where LANGSMITH_TRACING is `true`, and nowhere else: what customers write goes to no
    service because some package finds one of the older switches in the environment."""
    if os.environ.get("LANGSMITH_TRACING", "").strip().lower() != "true":
        for switch in (
            "LANGSMITH_TRACING",
            "LANGSMITH_TRACING_V2",
            "LANGCHAIN_TRACING",
            "LANGCHAIN_TRACING_V2",
        ):
            os.environ[switch] = "false"


_keep_conversations_here()


def chat_model(name: str = "") -> "BaseChatModel":
    """This event loop's model, made once, then shared. `name`, an agent's own model, precedes LLM_MODEL.

    Called without a running loop it gives a model for synchronous use. Raises ProviderNotConfigured and
    ProviderNotInstalled. Safe to use from many turns at once: a model keeps nothing of a call.
    """
    choice = chosen(name)
    with _lock:
        models = _models_here()
        if choice not in models:
            models[choice] = new_model(choice)
        return models[choice]


def answered_by(answer: Any, name: str = "") -> str:
    """The model that wrote an answer, as its provider calls it, or else the one that was asked: `name`, or the
    deployment's."""
    told = (getattr(answer, "response_metadata", None) or {}).get("model_name")
    return told if isinstance(told, str) and told else chosen(name).model


async def close_models() -> None:
    """Close the connections of this event loop's models, before the loop ends."""
    with _lock:
        models = _of_loop.pop(asyncio.get_running_loop(), {})
    for model in models.values():
        client: Any = getattr(model, "http_async_client", None)
        if client is not None:
            await client.aclose()


def configuration_problem() -> str | None:
    """One sentence about why the chosen provider cannot work, or None. Contacts nobody."""
    provider = settings.LLM_PROVIDER
    for setting in missing(provider):
        return f"{setting} must be set when LLM_PROVIDER is {provider}."
    if not installed(provider):
        return f"LLM_PROVIDER {provider} needs a package: pip install {catalogue.PROVIDERS[provider].package}"
    return None


def model_label() -> str:
    """Which model answers, in words for the customer's page: `gpt-5.4-mini (OpenAI)`."""
    if settings.LLM_PROVIDER == "offline":
        return catalogue.OFFLINE_LABEL
    try:
        choice = chosen()
    except ProviderNotConfigured:
        return catalogue.PROVIDERS[settings.LLM_PROVIDER].title
    own_server = choice.provider == "openai" and choice.endpoint
    where = host_of(choice.endpoint) if own_server else catalogue.PROVIDERS[choice.provider].title
    return f"{choice.model} ({where})"


def _models_here() -> dict[Choice, "BaseChatModel"]:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _of_loop.setdefault(None, {})
    if loop not in _of_loop:
        for ended in [known for known in _of_loop if known is not None and known.is_closed()]:
            del _of_loop[ended]
    return _of_loop.setdefault(loop, {})
