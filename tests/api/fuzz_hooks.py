"""What schemathesis has to know of this API (`SCHEMATHESIS_HOOKS`). No check is left out: a failure is dropped only
where a request that is well formed is refused for what is stored, or for what several fields say together."""

import os
from typing import Any

import schemathesis

BY_CODE = {
    "invalid_feedback": "at least one of its fields",
    "invalid_tag": "what is left of it without odd spaces and letters",
    "ends_in_the_past": "time has passed",
    "idempotency_key_reused": "another request was sent under this key before",
    "precondition_failed": "If-Match names a state that was never there",
    "invalid_cursor": "only a cursor that a list gave out is one",
    "approval_expired": "time has passed",
    "session_expired": "time has passed",
    "nothing_to_publish": "the import was not read to its end",
    "agents_yaml_invalid": "the document inside the text names tools that do not exist",
    "no_such_decider": "nobody has this name",
    "invalid_url": "the host has no address, or none that may be reached",
    "spec_invalid": "the text is no OpenAPI document",
    "too_large": "no schema can count a body's bytes",
    "invalid_arguments": "the tool's own schema is another document",
}
ACROSS_FIELDS = {
    ("agents_import", "file"): "a document, in UTF-8",
    ("agents_import", "yaml"): "a document, in UTF-8",
    ("openapi_import", "file"): "a document, not an empty file",
    ("openapi_import", "url"): "one of url, text and file",
    ("openapi_import", "username"): "a user name and a password, or an Authorization header",
    ("openapi_import", "headers"): "names and values that HTTP takes",
    ("openapi_import", "name"): "a source of another kind",
    ("openapi_jobs_retry", "headers"): "names and values that HTTP takes",
    ("openapi_classifications_edit_many", "indexes"): "indexes, or all",
    ("openapi_classifications_edit_many", "changes"): "changes, or looked",
    ("openapi_sources_pause", "tools"): "names of tools that the source has",
    ("openapi_sources_resume", "tools"): "names of tools that the source has",
    ("openapi_sources_delete", "tools"): "names of tools that the source has",
    ("keys_create", "expires_at"): "in the future",
    ("keys_rotate", "expires_at"): "in the future",
    ("interrupts_make_link", "username"): "a user name, or a name",
    ("interrupts_make_link", "email"): "only for somebody without an account",
    ("budgets_grant", "amount_usd"): "at most six decimals",
    ("budgets_grant", "customer"): "a customer, or the deployment",
    ("budgets_reset", "customer"): "a customer, or the deployment",
    ("budgets_exempt", "customer"): "a customer, or the deployment",
    ("conversations_send_message", "customer"): "whose thread it is",
    ("interrupts_answer_agent_inbox", "responses"): "exactly one",
    ("interrupts_answer_hitl", "decisions"): "exactly one",
    ("interrupts_decide", "args"): "with approved: true only",
}
"""{(operation, field): the rule across fields or rows that its schema does not say}."""


OF_EVERY_TEXT = frozenset({"Null characters are not allowed.", "This field may not be blank."})
"""What no text may be, as no pattern says in each of them: with NUL in it, or of spaces alone."""
REFUSED_ALL_THE_SAME = frozenset({410, 412, 413})
"""Refusals that schemathesis does not take for one, where a bad request was refused for something else first."""


def error_of(response: Any) -> dict[str, Any]:
    """The `error` of an envelope; empty where there is none."""
    try:
        body = response.json()
    except ValueError:
        return {}
    found = body.get("error") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}


_met: set[tuple[Any, ...]] = set()


def first_of_its_kind(context: Any, case: Any) -> bool:
    """False drops it: not the first of its operation with this fault, or this merit, in this parameter. What is left
    is a fixed part of the coverage phase, 1,400 of its 4,700 cases."""
    phase = case.meta.phase
    if phase.name.value != "coverage":
        return True
    kind = (case.operation.label, phase.data.scenario, phase.data.parameter_location, phase.data.parameter)
    new = kind not in _met
    _met.add(kind)
    return new


if os.environ.get("FUZZ_FIRST_OF_EACH"):
    schemathesis.hook("filter_case")(first_of_its_kind)


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """False drops it."""
    if type(failure).__name__ == "AcceptedNegativeData":
        return response.status_code not in REFUSED_ALL_THE_SAME
    if type(failure).__name__ == "MissingHeaderNotRejected":
        # Without the customer's token the key that every case carries is there: it is known, and may not (403).
        return (
            case.operation.definition.raw["operationId"] != "interrupts_answer" or response.status_code != 403
        )
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    error = error_of(response)
    if error.get("code") in BY_CODE:
        return False
    operation = case.operation.definition.raw["operationId"]
    fields = error.get("fields") or {}
    return not (
        fields
        and all(
            (operation, field) in ACROSS_FIELDS or OF_EVERY_TEXT.issuperset(map(str, faults))
            for field, faults in fields.items()
        )
    )


@schemathesis.check
def refusals_are_listed(ctx: Any, response: Any, case: Any) -> bool | None:
    """The code of a refusal is one that the operation lists for this status."""
    code = error_of(response).get("code")
    if response.status_code < 400 or code is None:
        return None
    described = case.operation.definition.raw["responses"].get(str(response.status_code), {})
    if response.status_code == 405 and code == "method_not_allowed":
        return None
    listed = described.get("x-problem-codes", [])
    assert code in listed, f"{response.status_code} {code} is not among {listed}"
    return None
