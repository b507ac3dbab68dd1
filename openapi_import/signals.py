"""News of imports for whoever is above: sent after the commit."""

from django.dispatch import Signal

import_finished = Signal()
"""An import is ready to review or has failed. Keywords: job_id (UUID), status ("done" or "failed"), name, total (how
many operations), message (why it failed; "" otherwise)."""
