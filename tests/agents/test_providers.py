"""The choice of a chat model: which one, once per loop, and what is missing."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from agents import providers
from agents.providers import build, catalogue


@pytest.fixture(autouse=True)
async def closed_afterwards() -> AsyncIterator[None]:
    yield
    await providers.close_models()


@pytest.fixture
def openai(settings):
    settings.LLM_PROVIDER = "openai"
    settings.OPENAI_API_KEY = "sk-secret"
    settings.OPENAI_BASE_URL = ""
    settings.LLM_MODEL = ""
    return settings


async def test_an_agents_own_model_goes_before_the_deployments(openai):
    openai.LLM_MODEL = "house-model"

    assert providers.chat_model().model_name == "house-model"
    assert providers.chat_model("special-model").model_name == "special-model"


async def test_without_a_name_the_providers_default_is_taken(openai):
    assert providers.chat_model().model_name == catalogue.PROVIDERS["openai"].default_model


async def test_a_model_is_made_once_and_made_anew_when_its_settings_change(openai):
    first = providers.chat_model()

    assert providers.chat_model() is first
    openai.OPENAI_API_KEY = "sk-rotated"
    assert providers.chat_model() is not first


def test_every_event_loop_has_its_own_model_and_an_ended_loop_keeps_none(openai):
    async def here():
        return providers.chat_model()

    models = [asyncio.run(here()) for _ in range(3)]

    assert len({id(model) for model in models}) == 3
    assert sum(loop is not None and loop.is_closed() for loop in providers._of_loop) <= 1


async def test_openai_itself_is_asked_at_its_own_address_whatever_the_environment_says(openai, monkeypatch):
    monkeypatch.setenv("OPENAI_API_BASE", "https://elsewhere.example/v1")
    monkeypatch.setenv("LANGSMITH_GATEWAY", "true")

    model = providers.chat_model()

    assert str(model.root_async_client.base_url) == "https://api.openai.com/v1/"
    assert model.stream_usage is True


async def test_azure_asks_the_deployment(settings):
    settings.LLM_PROVIDER = "azure_openai"
    settings.AZURE_OPENAI_API_KEY = "azure-secret"
    settings.AZURE_OPENAI_ENDPOINT = "https://contoso.openai.azure.com"
    settings.AZURE_OPENAI_DEPLOYMENT = "support"

    model = providers.chat_model()

    assert model.deployment_name == "support"
    assert model.openai_api_version == catalogue.AZURE_API_VERSION
    assert providers.model_label() == "support (Azure OpenAI)"


@pytest.mark.parametrize(
    ("provider", "setting"),
    [
        ("openai", "OPENAI_API_KEY"),
        ("azure_openai", "AZURE_OPENAI_API_KEY"),
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("google", "GOOGLE_API_KEY"),
    ],
)
async def test_a_missing_key_is_named(settings, provider, setting):
    settings.LLM_PROVIDER = provider
    setattr(settings, setting, "")

    sentence = f"{setting} must be set when LLM_PROVIDER is {provider}."
    assert providers.configuration_problem() == sentence
    with pytest.raises(providers.ProviderNotConfigured) as raised:
        providers.chat_model()
    assert raised.value.message == sentence
    assert providers._models_here() == {}  # of this test's own loop: others' may still stand in the process


async def test_a_server_of_ones_own_needs_no_key(openai):
    openai.OPENAI_API_KEY = ""
    openai.OPENAI_BASE_URL = "http://127.0.0.1:11434/v1"

    assert providers.configuration_problem() is None
    assert providers.chat_model().openai_api_key.get_secret_value() == "none"


@pytest.mark.parametrize(
    ("provider", "setting"), [("anthropic", "ANTHROPIC_API_KEY"), ("google", "GOOGLE_API_KEY")]
)
async def test_a_package_that_is_not_there_is_named_with_its_version(settings, provider, setting):
    if build.installed(provider):
        pytest.fail(
            f"{catalogue.PROVIDERS[provider].module} is installed: these tests are for a machine without it."
        )
    settings.LLM_PROVIDER = provider
    setattr(settings, setting, "secret")

    with pytest.raises(providers.ProviderNotInstalled) as raised:
        providers.chat_model()

    assert raised.value.message.endswith(f"pip install {catalogue.PROVIDERS[provider].package}")
    assert "==" in catalogue.PROVIDERS[provider].package
    assert "pip install" in str(providers.configuration_problem())


async def test_the_label_names_the_model_and_never_a_password(openai):
    openai.LLM_MODEL = "llama"
    assert providers.model_label() == "llama (OpenAI)"

    openai.OPENAI_BASE_URL = "https://user:password@models.example:8443/v1?key=secret"
    assert providers.model_label() == "llama (models.example:8443)"


async def test_a_choice_does_not_show_its_key(openai):
    assert "sk-secret" not in repr(build.chosen()) + str(build.chosen()) + repr(providers.chat_model())


def test_importing_the_factory_imports_no_provider_and_switches_tracing_off(server_environment):
    program = (
        "import os, sys; os.environ['LANGCHAIN_TRACING_V2'] = 'true'; import agents.providers;"
        "from langsmith.utils import tracing_is_enabled;"
        "print(sorted({'openai', 'langchain_openai', 'anthropic'} & set(sys.modules)), tracing_is_enabled())"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], env=server_environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.split("\n")[0] == "[] False"
