"""Runs one turn's graph, from the start or from where it waits. One LangGraph thread per turn, deleted when the turn
is sealed: with one thread per conversation the Postgres saver keeps every version of a growing message list."""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from django.db import connection
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.types import Command
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from agents import graph
from agents.context import TurnContext
from agents.direct import running
from smartsupport.lib.postgres import connection_parameters

RECURSION_LIMIT = 80
POOL_SIZE = 8


class TurnSaver(AsyncPostgresSaver):
    """LangGraph's saver, which asks the database nothing about a thread that nobody has worked on before, and writes
    nothing but the place where a person was asked: everything else would be thrown away unread (`Runner`)."""

    def __init__(self, pool: "AsyncConnectionPool[Any]") -> None:
        super().__init__(pool)
        self._held_back: dict[str, tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]] = {}

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        if config["configurable"].get("fresh"):
            return None
        return await super().aget_tuple(config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        thread_id = config["configurable"]["thread_id"]
        states, _ = self._held_back.setdefault(thread_id, ([], []))
        states.append((config, checkpoint, metadata, new_versions))
        place = {
            "checkpoint_ns": config["configurable"]["checkpoint_ns"],
            "checkpoint_id": checkpoint["id"],
        }
        return {"configurable": {"thread_id": thread_id, **place}}

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        _, answers = self._held_back.setdefault(config["configurable"]["thread_id"], ([], []))
        answers.append((config, writes, task_id, task_path))

    async def keep(self, thread_id: str) -> None:
        """Write what the run of this thread has come to."""
        states, answers = self._held_back.pop(thread_id, ([], []))
        for state in states:
            await super().aput(*state)
        for answer in answers:
            await super().aput_writes(*answer)

    def drop(self, thread_id: str) -> None:
        """Forget what the run of this thread has come to and nobody kept."""
        self._held_back.pop(thread_id, None)


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
        """Run the turn until it is done or waits for a person. Raises StaleTurn, or what the model provider raised.
        A turn that nobody had worked on before, and that was completed, has left nothing to `forget`."""
        if context.call is not None:
            return await running.run(context, context.call)
        saver = self._saver
        assert saver is not None, "open() comes first"
        thread = {"thread_id": str(context.turn_id), "fresh": context.fresh}
        config = {"configurable": thread, "recursion_limit": RECURSION_LIMIT}
        waits = None if context.fresh else await self._where_it_waits(context.turn_id, config)
        given: Any = waits or {"messages": []}
        # One write where it waits: before that, and at the end, the journal's keys say what was done already.
        try:
            result = await self._graph.ainvoke(given, config, context=context, durability="exit")
            if not result.get("__interrupt__"):
                return "completed"
            await saver.keep(str(context.turn_id))
            return "waiting"
        finally:
            saver.drop(str(context.turn_id))

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
