"""The words that access is judged by: verbs and nouns of business APIs in general, not of any one API.

A writing verb is clear where it is hardly ever anything but a verb (`delete`), else ambiguous (`order`, `import`,
`open`). A clear one counts wherever it stands, an ambiguous one only where a verb stands.
"""


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


READING = _set(
    """get gets list describe search searches find finds fetch read reads retrieve lookup view show browse
    exists exist has is are can preview inspect explain peek autocomplete suggest contains download head ls"""
)
"""Verbs that only look."""

NOUNS_TOO = _set("list search view show preview download head can has is are contains")
"""Reading verbs that are nouns as well: `listUserPin` pins a list. They count only where all else fits."""

CLEAR_READING = _set("get gets list lists describe search searches lookup retrieve preview")
"""All that a POST reads by. What others are named after may be done by posting: `/messages/{id}/read` marks a message,
`/videos/{id}/view` counts a view, `fetch` brings in something from elsewhere."""

EITHER = _set(
    """query check validate verify test evaluate detect analyze analyse predict recognize recognise translate convert
    parse classify match scan select export generate render summarize summarise ask recommend filter print screenshot
    wait identify determine assess probe ping diagnose forecast quote receive infer extract tokenize embed rank
    diff refresh load poll discover estimate calculate compute compare report audit lint simulate tail watch use
    locate count"""
)
"""Verbs that may do either, by what stands behind them. Of a GET they say nothing; a POST with one asks."""

CLEAR_WRITING = _set(
    """create delete remove add insert update upsert modify alter replace
    rename append attach detach associate disassociate assign unassign reassign allocate deallocate disable
    activate deactivate suspend resume terminate restart reboot reset cancel abort approve reject accept decline
    deny confirm revoke grant authorize authorise deauthorize authenticate register deregister unregister enroll
    unenroll enrol subscribe unsubscribe send resend unpublish uninstall undeploy deprovision submit
    resubmit apply unlock unarchive purge erase wipe destroy expire invalidate expunge anonymize anonymise
    redact repay prepay withdraw redeem mint rotate renew unbind unlink disconnect reconnect mount unmount unban
    unmute unblock unfollow unfavorite unfavourite unstar unpin unhide dismiss acknowledge ack nack snooze
    reopen reschedule unschedule ingest migrate promote demote revert undo redo rerun requeue enqueue dequeue
    rebook unreserve fulfill fulfil transition toggle unset untag unmark unflag unlabel write upvote downvote
    countersign finalize finalise begin initiate initialize initialise regenerate rebuild reindex resize
    increase decrease increment decrement adjust configure customize customise remit settle disburse complain
    interrupt inject evict enforce waive disallow forbid prohibit impersonate donate reorder reprioritize
    reprioritise shuffle undelete reinstate reactivate recreate prune escalate assume execute invoke acquire
    relinquish clawback"""
)

AMBIGUOUS_WRITING = _set(
    """creates deletes removes adds inserts updates sends put patch move change edit set restore transfer deposit
    refund link lock hold release enable stop start pause
    book order record store tag label flag mark comment vote rate sign star follow block request charge invoice
    bill debit credit issue swap exchange copy clone fork split sort play push pop open close empty clear clean
    save post reply signal switch launch schedule ship pin void pay like favorite favourite exempt permit allow
    bind join leave login logout signup signin checkout checkin setup upgrade downgrade rollback override
    dispute purchase delegate opt optin optout dispatch sell buy hide claim capture ban mute kick retry init
    connect install backup forget cut turn shutdown failover redrive extend scale drop reserve crop reimport
    seek manage truncate trim tear kill seed tune stage blacklist whitelist sync synchronize synchronise
    synchronization notify import upload deploy archive duplicate provision publish merge run process trigger
    call complete finish monitor resolve handle reconcile drain skip recover admit advertise deliver bootstrap
    cordon gift award give compensate reimburse topup rotate mirror attest chat converse log bulk return
    broadcast invite"""
)
WRITING = CLEAR_WRITING | AMBIGUOUS_WRITING
VERBS = READING | EITHER | WRITING

MODIFIERS = _set(
    "batch bulk multi multiple mass aggregated aggregate async admin internal public private my do try api"
)
"""What may stand before the verb: `batchGetOrders`, `admin_list_users`."""

ASKED_AFTER = _set(
    """permission permissions access availability available eligibility eligible capacity quota quotas existence exists
    syntax coverage compatibility balance status stock inventory limit limits serviceability"""
)
"""What is only looked up where one checks or validates it."""
CHECKING = _set("check validate verify")

THINGS = _set(
    """job jobs task tasks status statuses state states history progress result results operation operations execution
    executions run runs log logs event events config configs configuration configurations setting settings
    policy policies request requests summary summaries definition definitions option options reason reasons type
    types template templates count rule rules schedule schedules plan plans"""
)
"""A writing verb before one of these is part of a thing's name: `getImportJob`, `describeDeleteStatus`."""

SECRETS = _set(
    "token tokens credential credentials secret secrets password passwords passwd passcode otp sas apikey apikeys"
)
"""Nouns that make a reading operation ask, wherever they stand, but not before one of ABOUT_SECRETS."""
ABOUT_SECRETS = _set(
    "policy policies type types status rules requirements scanning expiry expiration strength settings"
)
MINTED = _set("url urls uri signed presigned signature sso jwt login")
"""What a `get` often makes first: a signed address, a session."""
KEYS = _set("key keys")
KEY_KINDS = _set(
    "get list fetch api access private secret ssh signing encryption master license activation recovery"
)
POLICIES = _set("policy policies")
POLICY_KINDS = _set("iam access resource permission permissions trust authorization security")
"""Who may do what: a POST that reads it asks."""
LINK_KINDS = _set("download upload share sharing magic login invite payment reset signed checkout portal")
GETTING = _set("get fetch retrieve generate obtain")
