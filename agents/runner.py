"""Runs one turn's graph, from the start or from where it waits. One LangGraph thread per turn, deleted when the turn
is sealed: with one thread per conversation the Postgres saver keeps every version of a growing message list."""

from typing import Any, Literal
from uuid import UUID

from django.db import connection
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.types import Command
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from agents import graph
from agents.context import TurnContext
from smartsupport.lib.postgres import connection_parameters

RECURSION_LIMIT = 80
POOL_SIZE = 8


class TurnSaver(AsyncPostgresSaver):
    """LangGraph's saver, which asks the database nothing about a thread that nobody has worked on before."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        if config["configurable"].get("fresh"):
            return None
        return await super().aget_tuple(config)


class Runner:
    """The compiled graph and its saver. One per event loop; open it before the first turn."""

    def __init__(self) -> None:
        self._pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            kwargs={
                **connection_parameters(connection),
                "autocommit": True,
                "prepare_threshold": 0,
                "row_factory": dict_row,
            },
            min_size=1,
            max_size=POOL_SIZE,
            open=False,
            name="checkpoints",
            check=AsyncConnectionPool.check_connection,
        )
        self._saver: TurnSaver | None = None
        self._graph: Any = None

    async def open(self) -> None:
        await self._pool.open()
        self._saver = TurnSaver(self._pool)
        self._graph = graph.build().compile(checkpointer=self._saver)

    async def close(self) -> None:
        await self._pool.close()

    async def run(self, context: TurnContext) -> Literal["completed", "waiting"]:
        """Run the turn until it is done or waits for a person. Raises StaleTurn, or what the model provider raised."""
        thread = {"thread_id": str(context.turn_id), "fresh": context.fresh}
        config = {"configurable": thread, "recursion_limit": RECURSION_LIMIT}
        waits = None if context.fresh else await self._where_it_waits(context.turn_id, config)
        given: Any = waits or {"messages": []}
        # One write where it stops: in between, the journal's keys say what was done already.
        result = await self._graph.ainvoke(given, config, context=context, durability="exit")
        return "waiting" if result.get("__interrupt__") else "completed"

    async def _where_it_waits(self, turn_id: UUID, config: dict[str, Any]) -> Command[Any] | None:
        """What goes on from the place where a person was asked. Everything else that is stored was left by a run that
        broke off, perhaps of a worker that had lost the turn and whose model chose something that nobody recorded: it
        is thrown away, and the turn begins again from its log."""
        snapshot = await self._graph.aget_state(config)
        if snapshot.interrupts:
            # By id: a bare value would also answer the *next* interrupt of the same run.
            return Command(resume={waiting.id: True for waiting in snapshot.interrupts})
        if snapshot.created_at:
            await self.forget(turn_id)
        return None

    async def forget(self, turn_id: UUID) -> None:
        """Delete the turn's thread. Nothing is kept of a sealed turn but its events."""
        if self._saver is not None:
            await self._saver.adelete_thread(str(turn_id))
