"""The staff of the soak, at the REST API: they decide, write, stop, resolve, take over and hand back."""

import asyncio
import time
from collections import Counter
from random import Random
from typing import Any

import httpx

from tests.faults.soak_end import End
from tests.faults.soak_plan import APPROVE, LEAVE, verdict
from tests.faults.soak_stack import API_KEY

DOINGS = {"write": 6, "stop": 2, "resolve": 1, "takeover": 3, "nothing": 4}


class Staff:
    """`decisions` is what was tried, by approval: the audit compares it with what happened."""

    def __init__(self, urls: list[str], *, seed: str, leave: bool, counts: Counter[str]) -> None:
        self.seed, self.leave, self.counts = seed, leave, counts
        self.decisions: dict[str, set[bool]] = {}
        self.random = Random(f"{seed}:staff")
        self.routes = ""
        headers = {"X-API-Key": API_KEY}
        self.clients = [
            httpx.AsyncClient(base_url=f"{url}/api/v1/", headers=headers, trust_env=False, timeout=60)
            for url in urls
        ]

    async def look_around(self) -> None:
        """Read the API's own document: what it offers is done."""
        self.routes = (await self.clients[0].get("schema/")).text

    def offers(self, text: str) -> bool:
        return text in self.routes

    async def work(self, end: End) -> None:
        helds: list[asyncio.Task[None]] = []
        while not end.reached:
            await self._decide_all(leave=self.leave)
            await self._do_something(helds, end)
            await asyncio.sleep(1)
        await asyncio.gather(*helds)

    async def close(self) -> None:
        for client in self.clients:
            await client.aclose()

    async def finish(self) -> None:
        """Nothing is left alone any more: decide what waits for staff, give back what was taken over."""
        await self._decide_all(leave=False)
        if self.offers("/handback"):
            for row in await self._conversations(status="held"):
                await self._call("POST", f"conversations/{row['thread_id']}/handback")

    async def _decide_all(self, *, leave: bool) -> None:
        answer = await self._call("GET", "interrupts?status=awaiting&per_page=100")
        for row in (answer or {}).get("interrupts", []):
            if row["approver"] != "staff":
                continue
            chosen = verdict(self.seed, row["interrupt_id"], leave=leave)
            if chosen == LEAVE:
                continue
            self.decisions.setdefault(row["interrupt_id"], set()).add(chosen == APPROVE)
            body = {"approved": chosen == APPROVE, "reason": "" if chosen == APPROVE else "Not covered."}
            path = f"interrupts/{row['interrupt_id']}/decision"
            # Two members of staff at once, at two servers: one of them is told who was first.
            both = [self._call("POST", path, body, web=web) for web in range(len(self.clients))]
            await asyncio.gather(*both[: 1 + self.random.randrange(2)])
            for left_over in both:
                left_over.close()

    async def _do_something(self, helds: list["asyncio.Task[None]"], end: End) -> None:
        doing = self.random.choices(list(DOINGS), weights=list(DOINGS.values()))[0]
        if doing == "nothing" or (doing == "takeover" and not self.offers("/takeover")):
            return
        rows = await self._conversations()
        if not rows:
            return
        thread_id = self.random.choice(rows)["thread_id"]
        self.counts[f"staff {doing}"] += 1
        if doing == "takeover":
            helds.append(asyncio.create_task(self._hold(thread_id, end)))
        elif doing == "write":
            await self._write(thread_id)
        else:
            await self._call("POST", f"conversations/{thread_id}/{doing}")

    async def _hold(self, thread_id: str, end: End) -> None:
        until = time.monotonic() + 8
        if await self._call("POST", f"conversations/{thread_id}/takeover") is None:
            return
        while time.monotonic() < until and not end.reached:
            await self._write(thread_id)
            await asyncio.sleep(2)
        await self._call("POST", f"conversations/{thread_id}/handback")

    async def _write(self, thread_id: str) -> None:
        self.counts["staff messages"] += 1
        body = {"content": f"A colleague here: note {self.counts['staff messages']}."}
        await self._call("POST", f"conversations/{thread_id}/staff-messages", body)

    async def _conversations(self, **query: str) -> list[dict[str, Any]]:
        words = "".join(f"&{name}={value}" for name, value in query.items())
        answer = await self._call("GET", f"conversations?per_page=100{words}")
        rows: list[dict[str, Any]] = (answer or {}).get("conversations", [])
        return rows

    async def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, web: int | None = None
    ) -> dict[str, Any] | None:
        """The answer's data; None where it was refused or nobody was there."""
        client = self.clients[self.random.randrange(len(self.clients)) if web is None else web]
        try:
            answer = await client.request(method, path, json=body)
        except httpx.HTTPError:
            self.counts["staff calls unanswered"] += 1
            return None
        self.counts[f"staff {answer.status_code}"] += 1
        if not answer.is_success:
            return None
        data: dict[str, Any] = answer.json()["data"]
        return data
