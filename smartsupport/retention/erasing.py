"""Everything of one customer is taken away when they ask (GDPR, article 17)."""

from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import connection, transaction

from chat.models import Customer
from smartsupport.lib import audit
from smartsupport.lib.errors import ServiceError
from smartsupport.retention import emptying
from smartsupport.retention.emptying import OPEN

log = structlog.get_logger(__name__)

_THEIRS = f"""
SELECT c.id, c.thread_id, {OPEN} FROM chat_conversation c WHERE c.customer_id = %s ORDER BY c.id FOR UPDATE OF c
"""  # noqa: S608 (ours)
MOST_NAMED = 10


class NotFinished(ServiceError):
    """Something of theirs goes on. `threads`: where, up to MOST_NAMED of them."""

    code, status = "not_finished", 409
    message = "Something of this customer is not finished. Nothing was erased."

    def __init__(self, threads: list[str]) -> None:
        super().__init__()
        self.threads = threads


@dataclass(frozen=True, slots=True)
class Erased:
    customer_id: UUID
    conversations: int


@transaction.atomic
def erase(customer_id: UUID, *, pseudonymise: bool = False) -> Erased | None:
    """Delete the customer and all that is theirs; with `pseudonymise`, keep the shape of their conversations under
    nobody's name. One transaction. None: there is no such customer (any more). Raises NotFinished."""
    emptying.hold()
    if not Customer.objects.select_for_update().filter(pk=customer_id).exists():
        return None
    with connection.cursor() as cursor:
        cursor.execute(_THEIRS, [customer_id])
        found = cursor.fetchall()
    if unfinished := [thread for _, thread, not_finished in found if not_finished]:
        raise NotFinished(unfinished[:MOST_NAMED])
    if pseudonymise:
        emptying.empty([(one, customer_id) for one, _, _ in found])
    else:
        emptying.delete([one for one, _, _ in found])
    emptying.delete_customers([customer_id])
    log.info(
        "customer_erased",
        customer_id=str(customer_id),
        conversations=len(found),
        pseudonymised=pseudonymise,
    )
    # Their number in this database, and nothing that they are called by: the audit keeps what it has.
    audit.write(
        actor=audit.COMMANDS,
        verb="erase",
        object_type="chat.customer",
        object_id=customer_id,
        detail={"conversations": len(found), "pseudonymised": pseudonymise},
    )
    return Erased(customer_id, len(found))
