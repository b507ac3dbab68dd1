"""What a turn is given: the conversation so far, whom it serves, and where it reports. `agents` knows no socket and
no chat table; `chat` implements the journal."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from agents.facts import Fact
from agents.registry import Registry

T = TypeVar("T")


class StaleTurn(Exception):
    """The turn was sealed, stopped, or taken over by another worker: whoever gets this must stop and write nothing."""


class Journal(Protocol):
    async def append(self, *facts: Fact) -> None:
        """Record facts, then tell the sockets. Raises StaleTurn."""

    def append_soon(self, *facts: Fact) -> None:
        """Record facts while something else goes on: at the latest before whatever is recorded or shown next."""

    def note(self, fact: Fact) -> None:
        """Record a fact together with whatever is recorded next, and before it: for what nobody waits to see, and what
        may be lost with the worker as long as nothing was done about it. What nothing follows on, such as the last
        reply, is recorded with the turn's end."""

    async def transact(self, work: Callable[[], tuple[T, list[Fact]]], *, fenced: bool = True) -> T:
        """Run `work` (synchronous, ORM) and record the facts that it returns in one transaction. Raises StaleTurn.

        `fenced=False` only for the outcome of something that has already been sent: it is recorded even if the turn
        was stopped meanwhile; the row's own compare-and-set protects it."""

    async def token(self, agent: str, text: str) -> None:
        """Show a piece of text that is still being written. Not recorded."""

    async def reasoning(self, agent: str, text: str) -> None:
        """Show a piece of what the model thinks before it answers, where the deployment shows it. Not recorded."""

    def alive(self) -> None:
        """Something came of the turn that is neither shown nor recorded yet: it is not stuck."""

    def recorded(self, key: str) -> Fact | None:
        """What an earlier attempt at this turn recorded under `key`."""

    async def used(self) -> Sequence[str]:
        """The tools that were called in this conversation before this turn, in the order of their first use."""

    def succeeded(self) -> Collection[str]:
        """The tools that have succeeded in this conversation so far, where a tool requires that another one has."""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing said earlier in the conversation; or done, as the log has it; or a summary of what came before."""

    role: str  # customer | agent | staff | record | summary
    text: str


@dataclass(frozen=True, slots=True)
class Desk:
    """The people behind the agents. `opens_at`: when somebody will be there, in the business's own time; None where
    somebody is there. `asked`: a person was asked for already."""

    ticket: str = ""
    opens_at: datetime | None = None
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool that somebody outside asks for (`agents.direct`), with the arguments as they gave them."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TurnContext:
    turn_id: UUID
    conversation_id: UUID
    customer_id: UUID
    bindings: dict[str, str]  # {"customer.id": "cus_1001"}; a binding without a value is absent
    message: str
    history: tuple[Said, ...]
    live_agent: str
    fresh: bool  # never claimed before: there is nothing to resume
    registry: Registry
    journal: Journal
    desk: Desk = Desk()
    call: Call | None = None  # the one thing to do, where the turn is for that: no model is asked
