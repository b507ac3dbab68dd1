"""Does an operation read or write? Three answers: read, write, and ask: a write until a person has looked.

The method is the floor and names raise it; texts can raise it further and never lower it (docs/openapi-judging.md).
"""

from dataclasses import dataclass

from openapi_import.judging.endpoint import Access, Endpoint
from openapi_import.judging.names import (
    Name,
    action_in_path,
    reading_in_path,
    writing_beside,
    writing_in_path,
)
from openapi_import.judging.vocabulary import (
    ABOUT_SECRETS,
    ASKED_AFTER,
    CHECKING,
    CLEAR_READING,
    CLEAR_WRITING,
    EITHER,
    GETTING,
    KEY_KINDS,
    KEYS,
    LINK_KINDS,
    MINTED,
    NOUNS_TOO,
    POLICIES,
    POLICY_KINDS,
    READING,
    SECRETS,
    WRITING,
)
from openapi_import.judging.words import opening, words

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "QUERY"})
BY_NAME = frozenset({"POST", ""})
"""Methods that may be either. Every other one writes, whatever the name says."""
WRITING_SCOPES = frozenset({"write", "delete", "create", "update", "modify", "edit"})
READING_SCOPES = frozenset({"read", "readonly", "view", "all", "readwrite"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an operation does. `uncertain`: nobody should rely on it before a person has looked."""

    access: Access
    uncertain: bool
    confidence: float
    reason: str


def access_of(endpoint: Endpoint, name: Name) -> Verdict:
    """The access of an operation and the reason in words."""
    if name.method in READING_METHODS:
        against = _against_reading_method(name)
        confidence = 0.97 if name.verb in READING else 0.9
        reason = f"{name.method} only reads" + (
            f', and so does "{name.verb}".' if name.verb in READING else "."
        )
    elif name.method in BY_NAME:
        verdict = _by_name(endpoint, name)
        if verdict.access == "write":
            return verdict
        against, confidence, reason = "", verdict.confidence, verdict.reason
    else:
        return Verdict("write", False, 0.98, f"{name.method} always changes something.")
    against = against or _secret(name) or _said(endpoint) or _scope(endpoint)
    if against:
        return _ask(against)
    return Verdict("read", False, confidence, reason)


def _against_reading_method(name: Name) -> str:
    """Why an operation whose method should only read may do more; "" where nothing says so."""
    verb = name.verb if name.verb in WRITING and not name.in_doubt else ""
    if verb := verb or writing_beside(name):
        return f'{name.method} should only read, but "{verb}" in its name says that it changes something.'
    if verb := writing_in_path(name):
        return f'{name.method} should only read, but "{verb}" in its path says that it changes something.'
    return ""


def _by_name(endpoint: Endpoint, name: Name) -> Verdict:
    """POST, or no method at all: it reads only where its name clearly says so and nothing in it says otherwise."""
    verb = name.verb
    if verb in WRITING and not name.in_doubt:
        return Verdict(
            "write", False, 0.97 if verb in CLEAR_WRITING else 0.93, f'"{verb}" changes something.'
        )
    if beside := writing_beside(name) or writing_in_path(name) or action_in_path(name):
        if verb in READING or verb in EITHER:
            return _ask(f'"{verb}" may only look, but "{beside}" changes something.')
        return Verdict("write", False, 0.9, f'"{beside}" changes something.')
    if verb in CHECKING and ASKED_AFTER.intersection(name.words):
        return Verdict("read", False, 0.85, f'"{verb}" with what is asked after only looks.')
    looks = verb or reading_in_path(name)
    posted = name.method == "POST" and looks in READING - CLEAR_READING
    if verb in EITHER or name.in_doubt or posted:
        return _ask(f'"{looks}" may only look, or change something.')
    if verb in NOUNS_TOO:
        if not (name.plain or name.method == "" or reading_in_path(name)):
            return _ask(f'"{verb}" does not lead its name, so it may be a noun.')
        if len(name.words) > 1 and name.words[-1] in WRITING:
            return _ask(f'"{verb}" would only look, but "{name.words[-1]}" may change something.')
    if looks and _custom_method(endpoint):
        return _ask(f'"{looks}" would only look, but a custom method that is sent by POST may do more.')
    if looks:
        return Verdict("read", False, 0.9, f'"{looks}" only looks.')
    what = name.method or "What has no method"
    return Verdict("write", False, 0.8, f"{what} changes something unless its name says that it only looks.")


def _custom_method(endpoint: Endpoint) -> bool:
    """`/documents:search` (https://google.aip.dev/136): those that only look are meant to be sent by GET."""
    return endpoint.method.upper() == "POST" and ":" in endpoint.path.rpartition("/")[2].strip(":{}")


def _ask(reason: str) -> Verdict:
    return Verdict("write", True, 0.4, reason)


def _secret(name: Name) -> str:
    """Why a reading operation may hand out a secret, or make one; "" where no noun says so."""
    path = tuple(word for segment in name.path for word in segment)
    for part in (name.outer, name.words, path):
        for before, word, after in zip(("", *part), part, (*part[1:], ""), strict=False):
            if word in SECRETS and before != "by" and after not in ABOUT_SECRETS:
                return f'"{word}" may hand out a secret or make one.'
            if word in KEYS and before in KEY_KINDS:
                return f'"{before} {word}" may hand out a secret.'
            if word in POLICIES and before in POLICY_KINDS and name.method in BY_NAME:
                return f'"{before} {word}" says who may do what.'
    if name.verb in GETTING:
        for before, word in zip(("", *name.words), name.words, strict=False):
            if word in MINTED or (word == "link" and before in LINK_KINDS):
                return f'"{word}" may be made when it is asked for.'
        if name.words[-1:] == ("session",):
            return '"session" may be made when it is asked for.'
    return ""


def _said(endpoint: Endpoint) -> str:
    """A summary or description that begins with a writing verb raises; nothing that they say lowers."""
    for text in (endpoint.summary, endpoint.description):
        word = opening(text)
        if _root(word) in CLEAR_WRITING and _root(word) != "grant":
            return f'Its description begins with "{word}".'
    return ""


def _root(word: str) -> str:
    """`creates` -> create, `dismisses` -> dismiss, `modifies` -> modify."""
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("s", "")):
        if word.endswith(ending):
            return word[: -len(ending)] + instead
    return word


def _scope(endpoint: Endpoint) -> str:
    """Scopes that only allow to write raise."""
    scopes = [set(words(scope)) for scope in endpoint.scopes]
    if scopes and all(scope & WRITING_SCOPES and not scope & READING_SCOPES for scope in scopes):
        return f'It asks for the scope "{endpoint.scopes[0][:60]}".'
    return ""
