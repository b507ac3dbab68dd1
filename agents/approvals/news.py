"""What the rest of the product is told of approvals."""

from django.dispatch import Signal

settled = Signal()
"""An action was decided, has expired, was given up by its worker, or was settled by staff. Arguments: `action`
(Action), `fact` (what the log has to say). Sent in the transaction."""
