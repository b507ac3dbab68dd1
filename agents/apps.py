from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db.models.signals import post_migrate


class AgentsConfig(AppConfig):
    name = "agents"
    verbose_name = "Agents, tools and actions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        post_migrate.connect(make_checkpoint_tables, sender=self)
        checks.register(check_provider)


def make_checkpoint_tables(using: str, **kwargs: Any) -> None:
    """LangGraph's saver brings its own tables and its own migrations; they run with ours."""
    from django.db import connections
    from langgraph.checkpoint.postgres import PostgresSaver
    from psycopg import connect
    from psycopg.rows import dict_row

    from smartsupport.lib.postgres import connection_parameters

    with connect(
        **connection_parameters(connections[using]),
        autocommit=True,
        prepare_threshold=0,
        row_factory=dict_row,
    ) as connection:
        PostgresSaver(connection).setup()


def check_provider(**kwargs: Any) -> list[checks.CheckMessage]:
    """A model provider that cannot work stops the start, and not the first customer's message."""
    from agents.providers import configuration_problem

    problem = configuration_problem()
    return [checks.Error(problem, id="agents.E001")] if problem else []
