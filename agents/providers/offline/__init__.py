"""A chat model made of rules: deterministic, without network or dependencies. See `docs/offline-model.md`."""

from agents.providers.offline.model import MODEL_NAME, OfflineChatModel, approximate_tokens

__all__ = ["MODEL_NAME", "OfflineChatModel", "approximate_tokens"]
