"""The control's worker: takes jobs from a table, runs the agent, writes the answer. A job whose worker died is taken
again, as by Celery with `acks_late`, or by any queue with a visibility timeout.

What the two styles do with a job that is delivered again is the whole difference:

`common`  the job's function runs again from its top, and appends the customer's message again (LangChain's own
          documentation had to be told: langchain-ai/docs#4070; the same in chat pages: svelte-langgraph#299).
`careful` it looks at the thread first. A message has the job's id, so that appending it again replaces it; a thread
          that has it already is resumed with `None`, which is the documented way to go on from the last checkpoint.
"""

import asyncio
import json
from typing import Any

import psycopg
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.types import Command
from psycopg.rows import dict_row

from tests.faults.control_agent import CAREFUL, COMMON, WRITES, Points, Setting, WatchedSaver, build

TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
    id serial PRIMARY KEY, thread_id text NOT NULL, kind text NOT NULL, content text NOT NULL DEFAULT '',
    approved boolean, status text NOT NULL DEFAULT 'queued', attempts int NOT NULL DEFAULT 0,
    error text NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS approvals (
    id serial PRIMARY KEY, thread_id text NOT NULL, calls jsonb NOT NULL, status text NOT NULL DEFAULT 'pending');
CREATE TABLE IF NOT EXISTS answers (id serial PRIMARY KEY, thread_id text NOT NULL, content text NOT NULL);
"""
TAKE = """
UPDATE jobs SET status = 'running', attempts = attempts + 1
WHERE id = (SELECT id FROM jobs WHERE thread_id = %s AND status IN ('queued', 'running') ORDER BY id LIMIT 1)
RETURNING *
"""
ATTEMPTS = 3
Job = dict[str, Any]


def main(setting: Setting, thread_id: str) -> None:
    """The program: works on the jobs of one thread until it is ended."""
    asyncio.run(work(setting, thread_id))


async def work(setting: Setting, thread_id: str) -> None:
    points = Points(setting)
    async with WatchedSaver.from_conn_string(setting.database_url) as saver:
        saver.points = points
        agent = build(setting, points, saver)  # type: ignore[arg-type]
        async with await psycopg.AsyncConnection.connect(
            setting.database_url, autocommit=True, row_factory=dict_row
        ) as connection:
            while True:
                job = await (await connection.execute(TAKE, [thread_id])).fetchone()
                if job is None:
                    await asyncio.sleep(0.02)
                else:
                    await Work(setting, points, agent, connection).do(job)


class Work:
    def __init__(self, setting: Setting, points: Points, agent: Any, connection: Any) -> None:
        self.careful = setting.style == CAREFUL
        self.points, self.agent, self.connection = points, agent, connection
        self.options = {"durability": "sync"} if self.careful else {}

    async def do(self, job: Job) -> None:
        config = {"configurable": {"thread_id": job["thread_id"]}}
        self.points.reach("after a job is taken")
        try:
            await self._advance(job, config)
        except Exception as error:
            status = "failed" if job["attempts"] >= ATTEMPTS else "queued"
            statement = "UPDATE jobs SET status = %s, error = %s WHERE id = %s"
            await self.connection.execute(statement, [status, str(error)[:500], job["id"]])
            return
        await self._tell(job, config)
        await self.connection.execute("UPDATE jobs SET status = 'done' WHERE id = %s", [job["id"]])
        self.points.reach("after the job is done")

    async def _advance(self, job: Job, config: Any) -> None:
        """Run the graph until it has ended or a person has to decide."""
        entry = await (self._careful_entry if self.careful else self._common_entry)(job, config)
        await self.agent.ainvoke(entry, config, **self.options)
        if not self.careful:
            while await self._waits_before_reads(config):
                await self.agent.ainvoke(None, config)

    async def _common_entry(self, job: Job, config: Any) -> Any:
        if job["kind"] == "message":
            return {"messages": [HumanMessage(job["content"])]}
        self.points.reach("before the thread is resumed")
        if not job["approved"]:
            calls = await self._open_calls(config)
            declined = [ToolMessage("A person declined this.", tool_call_id=call["id"]) for call in calls]
            if declined:
                await self.agent.aupdate_state(config, {"messages": declined}, as_node="tools")
        return None

    async def _careful_entry(self, job: Job, config: Any) -> Any:
        state = await self.agent.aget_state(config)
        if job["kind"] == "message":
            message_id = f"job-{job['id']}"
            known = any(message.id == message_id for message in state.values.get("messages", []))
            return None if known else {"messages": [HumanMessage(job["content"], id=message_id)]}
        self.points.reach("before the thread is resumed")
        if not state.interrupts:
            return None
        asked = state.interrupts[0].value["action_requests"]
        decision = (
            {"type": "approve"}
            if job["approved"]
            else {"type": "reject", "message": "A person declined this."}
        )
        return Command(resume={"decisions": [decision] * len(asked)})

    async def _waits_before_reads(self, config: Any) -> bool:
        calls = await self._open_calls(config)
        return bool(calls) and not any(call["name"] in WRITES for call in calls)

    async def _open_calls(self, config: Any) -> list[Any]:
        """The tool calls that the thread stands before."""
        state = await self.agent.aget_state(config)
        if "tools" not in state.next:
            return []
        last = state.values["messages"][-1]
        return list(last.tool_calls) if isinstance(last, AIMessage) else []

    async def _tell(self, job: Job, config: Any) -> None:
        """Ask the person, or give the answer."""
        state = await self.agent.aget_state(config)
        if state.next:
            self.points.reach("after the interrupt was saved")
            calls = state.values["messages"][-1].tool_calls
            statement = "INSERT INTO approvals (thread_id, calls) VALUES (%s, %s)"
            await self.connection.execute(statement, [job["thread_id"], json.dumps(calls)])
            return
        self.points.reach("before the answer is given")
        last = state.values["messages"][-1]
        statement = "INSERT INTO answers (thread_id, content) VALUES (%s, %s)"
        await self.connection.execute(statement, [job["thread_id"], last.text])


STYLES = (COMMON, CAREFUL)
