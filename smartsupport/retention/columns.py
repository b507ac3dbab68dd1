"""Every column of the database that can hold text, and that somebody has looked whether a customer's words may stand in
it. A test reads the schema: a column that is neither taken away by `smartsupport.retention.registry` nor here fails it.

Add a new one here only if nothing that a customer said, gave or was given can ever be in it.
"""

OF_EMPTIED = {
    "agents_action": (
        "tool_name tool_fingerprint tool_snapshot difference tool_call_id agent approver votes status decided_by "
        "edited_by edited_by_id error_kind"
    ),
    "agents_directcall": "tool_name asked_by",
    "agents_modelcall": "agent purpose provider model cost_source",
    "analytics_conversationfact": "outcome agents tools",
    "chat_conversation": "status live_agent held_by",
    # Names and ids; `payload` is emptied by `smartsupport.retention.wordless`.
    "chat_event": "kind key agent payload",
    "chat_turn": "status asked_by worker",
}
"""What stays in a row of a conversation that is only emptied: states, ids, and names of tools, models and staff."""

OF_OTHERS = {
    "agents_agent": "name description permission tone greeting escalation_message keywords model",
    "agents_credential": "kind scheme token_url scopes secret token created_by",
    "agents_modelprice": "provider model created_by",
    "agents_revision": "change subject name kind fields links by_name why",
    "agents_spendslice": "provider model agent purpose",
    "agents_tool": (
        "name title description operation_id method server_url path parameters request_body input_schema bound "
        "security response projection access risk approval staff_above_argument confirmation requires paused_because "
        "search"
    ),
    "analytics_day": "first_answers person_answers resolutions approval_waits",
    "analytics_dayagent": "agent",
    "analytics_daytool": "tool durations",
    "analytics_keptfact": "outcome agents tools",
    "analytics_month": "first_answers person_answers resolutions approval_waits",
    "analytics_monthtool": "tool durations",
    "chat_apikey": "name prefix key_hash scopes created_by",
    "chat_cannedreply": "shortcut title body updated_by",
    "chat_tag": "name created_by",
    "chat_webhookendpoint": "url description events secret old_secret paused_by pause_reason created_by",
    "openapi_import_classification": (
        "operation_id method path pointer summary description tags tool losses unusable name title tool_description "
        "access_type risk approval agent_group customer_params reason judged judged_by decided kept_group change "
        "difference reviewed_by"
    ),
    "openapi_import_importjob": (
        "name kind spec_url filename base_url content content_type etag fetch_secret status title version dialect "
        "document_hash faults listed documents security_schemes model_note error_stage error_message error_pointer "
        "created_by submission published_by"
    ),
    "openapi_import_publication": "kind document_hash changes agents note by_id by_name",
    "openapi_import_specsource": "name url kind title version document_hash",
    "smartsupport_backup": "version sealed signed audit_hash",
    "smartsupport_role": "name granted",
}
"""Of tables that no customer has rows in: what staff have set up, documents, sums."""

OF_DJANGO = {
    "auth_group": "name",
    "auth_permission": "codename name",
    "auth_user": "email first_name last_name password username",
    "axes_accessattempt": "get_data http_accept ip_address path_info post_data user_agent username",
    "axes_accessfailurelog": "http_accept ip_address path_info user_agent username",
    "axes_accesslog": "http_accept ip_address path_info session_hash user_agent username",
    "django_content_type": "app_label model",
    "django_migrations": "app name",
    "django_session": "session_data session_key",
}
"""Of Django and its packages: staff, and who tried to sign in as one."""

WITH_WORDS = {
    "smartsupport_auditentry": (
        "actor_kind actor_id actor_name verb object_type object_id object_label address user_agent request_id method "
        "path outcome before after detail previous_hash hash"
    ),
    "smartsupport_audithead": "last_hash",
    "smartsupport_idempotentrequest": "caller key fingerprint answer",
}
"""Those in which words of a customer may stand all the same, and docs/privacy.md says which and why: the audit, which
cannot be changed, and answers that are sealed and gone after 24 hours."""

DECIDED = {
    table: frozenset(columns.split())
    for group in (OF_EMPTIED, OF_OTHERS, OF_DJANGO, WITH_WORDS)
    for table, columns in group.items()
}
