"""What a model thinks before it answers, shown while it thinks, where the deployment wants that (SHOW_REASONING).

It is a preview and nothing else: no event, no part of any later prompt. Whatever the turn shows next closes it.
"""

import time

from django.conf import settings

from chat import live
from chat.turns import Claim

FLUSH_SECONDS = 0.1


class Reasoning:
    """The reasoning of one turn. Offsets count the code points of all of it, from one model call to the next."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._base = 0
        self._text = ""
        self._unsent = ""
        self._agent = ""
        self._sent_at = 0.0

    async def add(self, agent: str, text: str) -> None:
        """Show more of it: at once, or together with what follows within a tenth of a second."""
        if not settings.SHOW_REASONING:
            return
        self._agent = agent
        self._text += text
        self._unsent += text
        if time.monotonic() >= self._sent_at + FLUSH_SECONDS:
            await self._flush()

    async def close(self) -> None:
        """Show what is left, before anything else of the turn is shown. Nobody who joins later is shown this piece."""
        await self._flush()
        await self.drop()

    async def drop(self) -> None:
        """The same, without showing anything more."""
        self._unsent = ""
        if not self._text:
            return
        self._base, self._text = self._base + len(self._text), ""
        await live.clear(self._claim.turn_id, "reasoning")

    async def _flush(self) -> None:
        if not self._unsent:
            return
        new, self._unsent = self._unsent, ""
        claim = self._claim
        await live.show(
            claim.conversation_id,
            claim.turn_id,
            claim.thread_id,
            self._agent,
            self._base,
            self._text,
            new,
            kind="reasoning",
        )
        self._sent_at = time.monotonic()
