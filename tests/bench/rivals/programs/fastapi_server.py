"""FastAPI, langgraph-supervisor and the Postgres saver behind a socket: `uvicorn fastapi_server:app`."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from desk import desk
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from langchain_core.messages import AIMessageChunk
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(os.environ["SAVER_URL"], max_size=20, kwargs=settings) as pool:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        app.state.graph = desk().compile(checkpointer=saver)
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/ready")
async def ready() -> dict[str, bool]:
    return {"ready": True}


@app.websocket("/ws")
async def chat(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            asked = await socket.receive_json()
            await answer(socket, asked["thread_id"], asked["content"])
    except WebSocketDisconnect:
        return


async def answer(socket: WebSocket, thread_id: str, content: str) -> None:
    """Forwards every token as it comes."""
    config = {"configurable": {"thread_id": thread_id}}
    said = {"messages": [{"role": "user", "content": content}]}
    stream = app.state.graph.astream(said, config, stream_mode="messages", subgraphs=True)
    async for _place, (piece, _about) in stream:
        if isinstance(piece, AIMessageChunk) and piece.content:
            await socket.send_json({"type": "token", "content": piece.content})
    await socket.send_json({"type": "done"})


@app.get("/threads/{thread_id}")
async def history(thread_id: str) -> list[dict[str, object]]:
    """All messages of a conversation, as a page would ask for them when it is opened."""
    state = await app.state.graph.aget_state({"configurable": {"thread_id": thread_id}})
    return [{"type": one.type, "content": one.content} for one in state.values.get("messages", [])]
