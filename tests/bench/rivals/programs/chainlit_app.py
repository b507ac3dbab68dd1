"""The same desk behind Chainlit, with the Postgres saver: `chainlit run chainlit_app.py`."""

import asyncio
import os

import chainlit as cl
from desk import desk
from langchain_core.messages import AIMessageChunk
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

opening = asyncio.Lock()
compiled = None


async def graph():
    """Compiled at the first message, because a pool belongs to the loop in which it was opened."""
    global compiled
    async with opening:
        if compiled is None:
            settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
            pool = AsyncConnectionPool(os.environ["SAVER_URL"], max_size=20, kwargs=settings, open=False)
            await pool.open()
            saver = AsyncPostgresSaver(pool)
            await saver.setup()
            compiled = desk().compile(checkpointer=saver)
    return compiled


@cl.on_message
async def answer(message: cl.Message) -> None:
    config = {"configurable": {"thread_id": cl.context.session.id}}
    said = {"messages": [{"role": "user", "content": message.content}]}
    reply = cl.Message(content="")
    stream = (await graph()).astream(said, config, stream_mode="messages", subgraphs=True)
    async for _place, (piece, _about) in stream:
        if isinstance(piece, AIMessageChunk) and piece.content:
            await reply.stream_token(str(piece.content))
    await reply.send()
