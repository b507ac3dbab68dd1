"""Fixtures for every test. Each lives in the module that its subject suggests and is listed here."""

pytest_plugins = [
    "tests.fixtures_servers",
    "tests.scripted_model.fixture",
    "tests.live.fixtures",
    "tests.chat.engine_stack",
]
