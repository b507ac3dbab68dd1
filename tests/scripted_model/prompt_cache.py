"""What a provider's prompt cache would have had of a request: OpenAI's rules, which others resemble.

The beginning that an earlier prompt had too, in steps of 128 tokens, from 1,024 tokens on.
"""

import hashlib

BLOCK_CHARACTERS = 128 * 4
LEAST_BLOCKS = 8
MOST_KEPT = 20_000


class PromptCache:
    def __init__(self) -> None:
        self._known: dict[bytes, None] = {}

    def look_up(self, prompt: str) -> int:
        """Tokens of the prompt's beginning that were there before; from now on all of it is."""
        found, still = 0, True
        running = hashlib.blake2b(digest_size=16)
        for start in range(0, len(prompt) - BLOCK_CHARACTERS + 1, BLOCK_CHARACTERS):
            running.update(prompt[start : start + BLOCK_CHARACTERS].encode("utf-8", "surrogatepass"))
            name = running.digest()
            still = still and name in self._known
            found += still
            self._known[name] = None
        while len(self._known) > MOST_KEPT:
            del self._known[next(iter(self._known))]
        return found * 128 if found >= LEAST_BLOCKS else 0
