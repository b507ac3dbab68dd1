"""Opening, deciding and expiring actions. A status changes here, in `agents.executor`, in `agents.settlement` and in
`agents.restored` alone, by compare-and-set.

Locks are always taken in the order turn, action, conversation. `settled` is sent inside the transaction, so that the
log and the turn change together with the action or not at all; its receivers publish after commit.
"""

from agents.approvals.deciders import Decider as Decider
from agents.approvals.deciders import allowed as allowed
from agents.approvals.deciding import changes as changes
from agents.approvals.deciding import decide as decide
from agents.approvals.drifting import drift as drift
from agents.approvals.drifting import reopen as reopen
from agents.approvals.ending import cancel_open as cancel_open
from agents.approvals.ending import expire as expire
from agents.approvals.ending import expire_overdue as expire_overdue
from agents.approvals.ending import locked as locked
from agents.approvals.news import settled as settled
from agents.approvals.opening import frozen as frozen
from agents.approvals.opening import open_action as open_action
from agents.approvals.opening import opened_fact as opened_fact
from agents.approvals.questions import approver_for as approver_for
from agents.approvals.questions import ask as ask
from agents.approvals.refusals import ActionNotFound as ActionNotFound
from agents.approvals.refusals import AlreadyDecided as AlreadyDecided
from agents.approvals.refusals import ApprovalExpired as ApprovalExpired
from agents.approvals.refusals import ArgumentsChanged as ArgumentsChanged
from agents.approvals.refusals import InvalidArguments as InvalidArguments
from agents.approvals.refusals import NotAllowed as NotAllowed
from agents.approvals.refusals import ToolChanged as ToolChanged
from agents.approvals.refusals import ToolSwitchedOff as ToolSwitchedOff
from agents.approvals.refusals import expiry_message as expiry_message
from agents.approvals.wishes import has_asked as has_asked
from agents.approvals.wishes import is_wish_of as is_wish_of
