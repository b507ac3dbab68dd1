"""Who may do what in the console: every page, every action, every route that is posted to. A page that is added without
a line here fails `test_roles.py`: decide who may see it, and write it down.

{name of the route: (who may look, who may post)}; V(iewer), A(gent), (ap)P(rover), M(anager), (a)D(min). What
nobody may stands for pages that the console does not have (adding an audit entry, say).
"""

EVERYBODY, AGENTS, APPROVERS, MANAGERS, ADMINS, NOBODY = "VAPMD", "AMD", "PMD", "MD", "D", ""

LOOK = (EVERYBODY, EVERYBODY)
"""A page that only shows; a POST shows it, too."""
SHOWN = (EVERYBODY, NOBODY)
ANSWERS = (AGENTS, AGENTS)
DECIDES = (APPROVERS, APPROVERS)
MANAGES = (MANAGERS, MANAGERS)
RULES = (ADMINS, ADMINS)
EDITED = (EVERYBODY, MANAGERS)
NONE = (NOBODY, NOBODY)


def _rows(
    model: str, changelist: tuple[str, str], change: tuple[str, str], **more: tuple[str, str]
) -> dict[str, tuple[str, str]]:
    """The usual pages of a model: its list, its row and the row's history, then those that are named."""
    usual = {"changelist": changelist, "history": changelist, "change": change, "add": NONE, "delete": NONE}
    return {f"{model}_{name}": who for name, who in (usual | more).items()}


TABLE = {
    "analytics": LOOK,
    "analytics-conversations": LOOK,
    **_rows(
        "chat_conversation",
        LOOK,
        SHOWN,
        live=LOOK,
        replay=LOOK,
        replay_news=LOOK,
        replay_export=LOOK,
        take_over=ANSWERS,
        write=ANSWERS,
        hand_back=ANSWERS,
        retry=ANSWERS,
        resolve=ANSWERS,
        stop=ANSWERS,
        escalate=ANSWERS,
        say=ANSWERS,
        note=ANSWERS,
        preview=ANSWERS,
        canned=ANSWERS,
        tags=ANSWERS,
        tag_words=ANSWERS,
        tag_many=ANSWERS,
    ),
    **_rows("chat_customer", LOOK, SHOWN),
    **_rows("chat_cannedreply", LOOK, EDITED, add=MANAGES, delete=MANAGES),
    **_rows("chat_tag", LOOK, EDITED, add=MANAGES, delete=MANAGES),
    **_rows("chat_webhookdelivery", LOOK, SHOWN, send_again=MANAGES),
    **_rows(
        "chat_webhookendpoint",
        LOOK,
        EDITED,
        add=MANAGES,
        test=MANAGES,
        send_failed_again=MANAGES,
        rotate=MANAGES,
        pause=MANAGES,
        resume=MANAGES,
        remove=MANAGES,
    ),
    **_rows("chat_apikey", RULES, RULES, add=RULES, disable=RULES, replace=RULES),
    **_rows(
        "agents_action",
        LOOK,
        SHOWN,
        standing=LOOK,
        live=LOOK,
        detail=LOOK,
        here=LOOK,
        approve_many=DECIDES,
        decline_many=DECIDES,
        approve=DECIDES,
        approve_with_changes=DECIDES,
        decline=DECIDES,
        make_link=DECIDES,
        withdraw_links=DECIDES,
        send_again=DECIDES,
        it_happened=DECIDES,
        it_did_not_happen=DECIDES,
    ),
    **_rows(
        "agents_agent",
        LOOK,
        EDITED,
        add=MANAGES,
        delete=MANAGES,
        file=MANAGES,
        download=LOOK,
        prompt=LOOK,
        playground=MANAGES,
        playground_run=MANAGES,
        changes=LOOK,
        restore=MANAGES,
    ),
    **_rows("agents_tool", LOOK, EDITED, try_out=MANAGES, schema=LOOK, changes=LOOK, restore=MANAGES),
    **_rows("agents_credential", MANAGES, MANAGES, add=MANAGES, delete=MANAGES),
    **_rows("agents_modelcall", LOOK, SHOWN, costs=LOOK),
    **_rows("agents_budget", LOOK, EDITED, add=MANAGES, delete=MANAGES, deployment=EDITED, customer=EDITED),
    **_rows("agents_modelprice", LOOK, SHOWN, add=MANAGES, add_list=MANAGES, withdraw=MANAGES),
    **_rows(
        "openapi_import_importjob",
        LOOK,
        SHOWN,
        add=MANAGES,
        progress=LOOK,
        faults=LOOK,
        review=LOOK,
        operation=LOOK,
        edit=MANAGES,
        edit_many=MANAGES,
        publish=MANAGES,
        compare_again=MANAGES,
        cancel=MANAGES,
        retry=MANAGES,
    ),
    **_rows(
        "openapi_import_specsource",
        LOOK,
        SHOWN,
        publication=LOOK,
        pause_tools=MANAGES,
        resume_tools=MANAGES,
        take_back=MANAGES,
        limit_calls=MANAGES,
        delete_tools=MANAGES,
    ),
    **_rows("auth_user", RULES, RULES, add=RULES, delete=RULES, password_change=RULES),
    **_rows("auth_group", RULES, RULES, add=RULES, delete=RULES),
    **_rows("smartsupport_auditentry", RULES, (ADMINS, NOBODY), csv=RULES, jsonl=RULES),
}

SIDEBAR = {
    "index": EVERYBODY,
    "chat_conversation_changelist": EVERYBODY,
    "agents_action_changelist": EVERYBODY,
    "chat_customer_changelist": EVERYBODY,
    "analytics": EVERYBODY,
    "agents_modelcall_costs": EVERYBODY,
    "agents_agent_changelist": EVERYBODY,
    "agents_tool_changelist": EVERYBODY,
    "openapi_import_specsource_changelist": EVERYBODY,
    "openapi_import_importjob_changelist": EVERYBODY,
    "agents_credential_changelist": MANAGERS,
    "chat_webhookendpoint_changelist": EVERYBODY,
    "chat_apikey_changelist": ADMINS,
    "auth_user_changelist": ADMINS,
    "auth_group_changelist": ADMINS,
    "smartsupport_auditentry_changelist": ADMINS,
}
"""{what a link of the sidebar leads to: who sees it}."""
