"""A chat model from the settings. A provider's package is imported when chosen, here and nowhere else."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from pydantic import SecretStr

from agents.providers import catalogue
from smartsupport.lib.errors import ServiceError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

OPENAI_URL = "https://api.openai.com/v1"


class ProviderNotInstalled(ServiceError):
    """The chosen provider's package is missing; the message says which one to install."""

    code = "provider_not_installed"
    status = 503


class ProviderNotConfigured(ServiceError):
    """A setting without which the chosen provider cannot work is empty; the message names it."""

    code = "provider_not_configured"
    status = 503


@dataclass(frozen=True)
class Choice:
    """What one model is made of: when any of it changes, it is another model. `secret` is the API key."""

    provider: str
    model: str
    endpoint: str
    secret: str
    api_version: str
    seconds: float

    def __repr__(self) -> str:
        return f"Choice({self.provider}, {self.model})"  # never the key, whatever logs it


def chosen(name: str = "") -> Choice:
    """The choice that the settings stand for; `name` goes before LLM_MODEL. Raises ProviderNotConfigured."""
    provider = settings.LLM_PROVIDER
    entry = catalogue.PROVIDERS[provider]
    for setting in missing(provider):
        raise ProviderNotConfigured(f"{setting} must be set when LLM_PROVIDER is {provider}.")
    keys = {
        "openai": ("OPENAI_BASE_URL", "OPENAI_API_KEY"),
        "azure_openai": ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"),
        "anthropic": ("", "ANTHROPIC_API_KEY"),
        "google": ("", "GOOGLE_API_KEY"),
    }
    address, key = keys.get(provider, ("", ""))
    fallback = settings.AZURE_OPENAI_DEPLOYMENT if provider == "azure_openai" else settings.LLM_MODEL
    return Choice(
        provider=provider,
        model=name or fallback or entry.default_model,
        endpoint=getattr(settings, address) if address else "",
        secret=getattr(settings, key) if key else "",
        api_version=settings.AZURE_OPENAI_API_VERSION or catalogue.AZURE_API_VERSION,
        seconds=float(getattr(settings, "LLM_TIMEOUT_SECONDS", catalogue.REQUEST_SECONDS)),
    )


def missing(provider: str) -> list[str]:
    """Names of the settings that `provider` needs and that are empty."""
    if provider == "openai" and settings.OPENAI_BASE_URL:
        return []  # a server of one's own may well need no key
    return [setting for setting in catalogue.PROVIDERS[provider].required if not getattr(settings, setting)]


def installed(provider: str) -> bool:
    module = catalogue.PROVIDERS[provider].module
    return not module or find_spec(module) is not None


def new_model(choice: Choice) -> "BaseChatModel":
    """A new model. Raises ProviderNotInstalled. Opens no connection."""
    if not installed(choice.provider):
        entry = catalogue.PROVIDERS[choice.provider]
        raise ProviderNotInstalled(
            f"LLM_PROVIDER is {choice.provider}, but its package is not installed. "
            f"Run: pip install {entry.package}"
        )
    return BUILDERS[choice.provider](choice)


def _offline(choice: Choice) -> "BaseChatModel":
    model: BaseChatModel = import_module("agents.providers.offline").OfflineChatModel()
    return model


def _openai(choice: Choice) -> "BaseChatModel":
    module: Any = import_module("agents.providers.openai_models")
    model: BaseChatModel = module.StreamingOpenAI(
        model=choice.model,
        api_key=SecretStr(choice.secret or "none"),
        base_url=choice.endpoint or OPENAI_URL,
        # Compatible servers speak chat completions; which API OpenAI's own models want, langchain knows.
        use_responses_api=False if choice.endpoint else None,
        **_openai_common(choice, module),
    )
    return model


def _azure_openai(choice: Choice) -> "BaseChatModel":
    module: Any = import_module("agents.providers.openai_models")
    model: BaseChatModel = module.StreamingAzureOpenAI(
        azure_endpoint=choice.endpoint,
        azure_deployment=choice.model,
        model=choice.model,
        api_version=choice.api_version,
        api_key=SecretStr(choice.secret),
        use_responses_api=False,
        **_openai_common(choice, module),
    )
    return model


def _openai_common(choice: Choice, module: Any) -> dict[str, Any]:
    timeout = module.timeout(choice.seconds)
    return {
        "timeout": timeout,
        "stream_chunk_timeout": choice.seconds,
        "max_retries": catalogue.REPETITIONS,
        "stream_usage": True,
        "http_async_client": module.connections(timeout),
    }


def _anthropic(choice: Choice) -> "BaseChatModel":
    model: BaseChatModel = import_module("langchain_anthropic").ChatAnthropic(
        model=choice.model,
        api_key=SecretStr(choice.secret),
        base_url="https://api.anthropic.com",
        timeout=choice.seconds,
        max_retries=catalogue.REPETITIONS,
        stream_usage=True,
    )
    return model


def _google(choice: Choice) -> "BaseChatModel":
    model: BaseChatModel = import_module("langchain_google_genai").ChatGoogleGenerativeAI(
        model=choice.model,
        api_key=SecretStr(choice.secret),
        request_timeout=choice.seconds,
        retries=catalogue.REPETITIONS + 1,  # this package counts the first attempt too
    )
    return model


BUILDERS = {
    "offline": _offline,
    "openai": _openai,
    "azure_openai": _azure_openai,
    "anthropic": _anthropic,
    "google": _google,
}


def host_of(url: str) -> str:
    """Host and port of a URL, without any user and password in it."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return ""
