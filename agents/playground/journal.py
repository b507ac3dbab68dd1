"""The journal of a trial: what the graph reports is told to whoever watches, and kept nowhere."""

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from agents.facts import Fact

T = TypeVar("T")


class TrialJournal:
    """`agents.context.Journal` in memory. `recorded`: facts that are taken as having happened already."""

    def __init__(
        self,
        tell: Callable[[Fact], None],
        *,
        recorded: Sequence[Fact] = (),
        used: Sequence[str] = (),
        succeeded: Collection[str] = (),
    ) -> None:
        self._tell = tell
        self._recorded = {fact.key: fact for fact in recorded}
        self._used = tuple(used)
        self._succeeded = set(succeeded)
        self._noted: list[Fact] = []

    async def append(self, *facts: Fact) -> None:
        self.append_soon(*facts)

    def append_soon(self, *facts: Fact) -> None:
        noted, self._noted = self._noted, []
        for fact in (*noted, *facts):
            if fact.key:
                self._recorded[fact.key] = fact
            if fact.kind == "tool_returned" and fact.payload["ok"]:
                self._succeeded.add(fact.payload["tool"])
            self._tell(fact)

    def note(self, fact: Fact) -> None:
        self._noted.append(fact)
        if fact.key:
            self._recorded[fact.key] = fact
        if fact.kind == "replied":  # the last one: a turn records it with its end, and a trial has none
            self.append_soon()

    async def transact(self, work: Callable[[], tuple[T, list[Fact]]], *, fenced: bool = True) -> T:
        raise RuntimeError("A trial changes nothing: there is nothing that it could do in a transaction.")

    async def token(self, agent: str, text: str) -> None:
        """Replies are shown whole."""

    async def reasoning(self, agent: str, text: str) -> None:
        """Not shown."""

    def alive(self) -> None:
        """The trial's own time limit holds."""

    def recorded(self, key: str) -> Fact | None:
        return self._recorded.get(key)

    async def used(self) -> Sequence[str]:
        return self._used

    def succeeded(self) -> Collection[str]:
        return self._succeeded
