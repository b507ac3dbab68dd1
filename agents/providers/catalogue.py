"""The providers that can be chosen, and what each needs. Nothing here imports a provider's package."""

from dataclasses import dataclass

# Kept in one place so that they can be tuned together. A customer is waiting: the worst case is one request
# that says nothing for REQUEST_SECONDS and one repetition. An answer that has begun is never asked for again.
CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 60.0  # silence before the first byte, or between two pieces of an answer
REPETITIONS = 1
IDLE_CONNECTION_SECONDS = 55.0  # a kept connection saves the next turn a TLS handshake
AZURE_API_VERSION = "2024-10-21"
REASONING = "reasoning"
"""Where a piece of a streamed answer carries what the model thinks: a key of its `additional_kwargs`."""

OFFLINE_LABEL = "Offline demo model (rules, no network)"
"""What the customer's page calls the offline model, which it need not import for that."""


@dataclass(frozen=True)
class Provider:
    """`default_model` is used where LLM_MODEL is empty. `required` are settings without which it cannot work.
    `module` is imported, `package` goes after `pip install`: pinned, so that it fits what we have."""

    title: str
    default_model: str
    required: tuple[str, ...] = ()
    module: str = ""
    package: str = ""


PROVIDERS = {
    "offline": Provider("Offline model", ""),
    "openai": Provider(
        "OpenAI", "gpt-5.4-mini", ("OPENAI_API_KEY",), "langchain_openai", "langchain-openai==1.7.3"
    ),
    "azure_openai": Provider(
        "Azure OpenAI",
        "",  # a deployment's name, which only its owner knows
        ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_DEPLOYMENT"),
        "langchain_openai",
        "langchain-openai==1.7.3",
    ),
    "anthropic": Provider(
        "Anthropic",
        "claude-sonnet-5-5",
        ("ANTHROPIC_API_KEY",),
        "langchain_anthropic",
        "langchain-anthropic==1.7.7",
    ),
    "google": Provider(
        "Google",
        "gemini-3.8-flash",
        ("GOOGLE_API_KEY",),
        "langchain_google_genai",
        "langchain-google-genai==4.4.2",
    ),
}
