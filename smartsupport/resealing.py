"""Seals anew what an older key has sealed, so that the older key can go.

Every sealed column is named in COLUMNS. A row is changed only if it is still what was read, so it may run while
everything else does, twice at once, and again after it was interrupted: what is done is not done again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from django.apps import apps

from smartsupport.lib import audit
from smartsupport.lib.sealing import CannotUnseal, resealed

ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Column:
    """A text column of sealed values, "" where there is none; `sealed_by` are the modules that write it."""

    model: str
    name: str
    sealed_by: tuple[str, ...]


COLUMNS = (
    Column("agents.Credential", "secret", ("agents.credentials", "agents.oauth")),
    Column("agents.Credential", "token", ("agents.oauth",)),
    Column("chat.WebhookEndpoint", "secret", ("chat.webhook_endpoints",)),
    Column("chat.WebhookEndpoint", "old_secret", ("chat.webhook_endpoints",)),
    Column("openapi_import.ImportJob", "fetch_secret", ("openapi_import.jobs", "openapi_import.submissions")),
    Column("smartsupport.IdempotentRequest", "answer", ("smartsupport.lib.idempotency",)),
)
LEFT_ALONE = {
    "smartsupport.backups.canary": "Each row says which keys its own backup needs, which are those of its day.",
}
"""Modules that seal what is not to be sealed anew, and why."""


@dataclass(slots=True)
class Counts:
    """`anew` were sealed by an older key and are (or, when only looking, would be) sealed anew. `lost` are rows that no
    key of this deployment opens: (column, primary key)."""

    anew: int = 0
    already: int = 0
    lost: list[tuple[str, str]] = field(default_factory=list)


def reseal(*, look: bool = False, told: Callable[[str], None] = lambda line: None) -> dict[str, Counts]:
    """Go through every column; counts by `model.column`. `look` changes nothing."""
    found = {}
    for column in COLUMNS:
        name = f"{column.model}.{column.name}"
        found[name] = counts = _reseal(column, look=look)
        told(f"{name}: {counts.anew} sealed anew, {counts.already} were, {len(counts.lost)} cannot be opened")
    if not look:
        audit.write(
            actor=audit.COMMANDS,
            verb="reseal",
            object_type="console",
            outcome=audit.DONE,
            detail={
                "anew": sum(counts.anew for counts in found.values()),
                "lost": sum(len(counts.lost) for counts in found.values()),
            },
        )
    return found


def _reseal(column: Column, *, look: bool) -> Counts:
    rows = apps.get_model(column.model)._base_manager.exclude(**{column.name: ""}).order_by("pk")
    counts, page = Counts(), list(rows.values_list("pk", column.name)[:ROWS_AT_ONCE])
    while page:
        for number, before in page:
            try:
                after = resealed(before)
            except CannotUnseal:
                counts.lost.append((f"{column.model}.{column.name}", str(number)))
                continue
            if after == before:
                counts.already += 1
            elif look or rows.filter(pk=number, **{column.name: before}).update(**{column.name: after}):
                counts.anew += 1
            else:
                # Somebody has just written it, with the key that seals now.
                counts.already += 1
        page = list(rows.filter(pk__gt=page[-1][0]).values_list("pk", column.name)[:ROWS_AT_ONCE])
    return counts
