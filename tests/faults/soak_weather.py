"""What goes wrong meanwhile: drawn from the seed, one thing after another."""

import asyncio
from collections import Counter
from random import Random
from typing import Any

import httpx

from tests.faults.soak_end import End
from tests.faults.soak_stack import SoakStack

WEIGHTS = {
    "kill turns": 34,
    "kill web": 14,
    "kill jobs": 4,
    "flush valkey": 8,
    "restart valkey": 6,
    "restart postgres": 6,
    "business": 28,
}
BUSINESS = (
    {"drop": "before"},
    {"drop": "after"},
    {"drop": "after"},
    {"fail": 500},
    {"fail": 503},
    {"fail": 429},
    {"slow_ms": 800},
    {"slow_ms": 6500},
)


class Weather:
    def __init__(self, stack: SoakStack, *, seed: str, pace: float, counts: Counter[str]) -> None:
        self.stack, self.pace, self.counts = stack, pace, counts
        self.random = Random(f"{seed}:weather")
        self.business = httpx.AsyncClient(base_url=stack.business_url, trust_env=False, timeout=60)

    async def blow(self, end: End) -> None:
        while True:
            pause = self.random.uniform(0.4, 1.6) * self.pace
            kind = self.random.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]
            number, rule = 1 + self.random.randrange(2), self.random.choice(BUSINESS)
            times, away = 1 + self.random.randrange(5), self.random.uniform(0.2, 2.5)
            signal = "TERM" if self.random.random() < 0.25 else "KILL"
            await asyncio.sleep(pause)
            if end.reached:
                return
            self.counts[f"fault {kind}" + (f" {_worded(rule)}" if kind == "business" else "")] += 1
            await self._do(kind, number, {**rule, "times": times}, away, signal)

    async def _do(self, kind: str, number: int, rule: dict[str, Any], away: float, signal: str) -> None:
        if kind == "business":
            await self.business.post("/_faults", json=rule)
        elif kind == "kill jobs":
            await asyncio.to_thread(self.stack.restart, "jobs", next_signal=signal)
        elif kind == "kill turns":
            await asyncio.to_thread(self.stack.restart, f"turns{number}", next_signal=signal)
        elif kind == "kill web":
            await asyncio.to_thread(self.stack.restart, f"web{number}", next_signal=signal)
        elif kind == "flush valkey":
            await asyncio.to_thread(self.stack.flush_broker)
        elif kind == "restart valkey":
            await asyncio.to_thread(self.stack.restart_broker, pause=away)
        else:
            await asyncio.to_thread(self.stack.restart_database, pause=away)

    async def clear(self) -> None:
        """Fair again: the business does as it is asked."""
        await self.business.delete("/_faults")
        await self.business.aclose()


def _worded(rule: dict[str, Any]) -> str:
    return " ".join(f"{name} {value}" for name, value in rule.items())
