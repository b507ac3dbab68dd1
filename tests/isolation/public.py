"""What is open on purpose, and why. This is the only place that lets anything out of the test: a route that is neither
here nor refused to strangers fails it. Patterns are those of the URL configuration."""

TO_EVERYBODY = {
    "": "the chat page: what it shows of conversations comes over the socket",
    "widget.js": "the script that other sites include; it holds the list of the sites that may, and no data",
    "embed": "the chat page in a frame of those sites: what it shows of conversations comes over the socket",
    "embed/visitor": "a new anonymous visitor's credential, where anonymous chat is on; nothing is written",
    "api/v1/health": "says that the process answers and which version it is",
    "api/v1/schema/": "the published description of the API; it holds no data",
    "api/v1/docs/": "the same, to read",
    "decide/<str:token>": "the page behind an approval's link: without a token that this deployment signed it is one "
    "page for everybody",
    "admin/login/": "the way in",
    "admin/logout/": "the way out; it ends the caller's own session and nothing else",
}
"""Answers anybody, also without a credential. Still it shows nothing of a customer and changes nothing."""

TO_THE_CUSTOMER = {
    "api/v1/conversations/<str:thread_id>/stream": "their own conversation, as the chat socket tells it; no other",
    "api/v1/interrupts/<str:interrupt_id>/answer": "their own yes or no to what waits for them, as on the chat socket",
    "api/v1/usage/<path:customer>": "how much of their own limits is used, in percent; nothing of anybody else's",
}
"""Answers a customer's own token, in the header, about that customer. To another customer's nothing is there."""

BY_MIDDLEWARE = {
    "/healthz": "a container's health check and a load balancer have no credential; says that the process answers",
    "/readyz": "the same; says which part of the installation is missing",
}
"""Addresses that are no routes."""

TO_ALL_STAFF = {
    "admin/": "the console's home: what it counts and lists depends on the caller's permissions",
    "admin/analytics/home/": "what moves on the console's home page: the same, counted by the caller's permissions",
    "admin/waiting/": "the numbers in the sidebar: counted by the caller's permissions",
    "admin/search/": "finds only what the caller may see",
    "admin/password_change/": "the caller's own password",
    "admin/password_change/done/": "says that it was changed",
    "admin/autocomplete/": "answers only for models that the caller may see",
    "admin/jsi18n/": "texts of the console's own scripts",
    "admin/r/<path:content_type_id>/<path:object_id>/": "leads to a row's public page; no model has one",
    "admin/^(?P<app_label>": "lists the parts of the console that the caller may see",
    "admin/(?P<url>.*)$": "every address of the console that does not exist",
}
"""Answers every member of staff, whatever they may do. A pattern that begins like this counts."""

FRAMES_FOR_EVERYBODY = {
    "ping": "names no conversation; its answer is always the same",
}
FRAMES_THAT_OPEN = {
    "message": "the first message of a thread id that nobody has opens it: that is how conversations begin",
}
"""Frames whose answer for an unknown thread differs from the one for somebody else's, as the contract wants it."""


def reason(pattern: str, *, staff: bool) -> str:
    """Why this route answers such a caller; empty where it must not."""
    if pattern in TO_EVERYBODY:
        return TO_EVERYBODY[pattern]
    if not staff:
        return ""
    expressions = (
        why for begin, why in TO_ALL_STAFF.items() if "(?P<" in begin and pattern.startswith(begin)
    )
    return TO_ALL_STAFF.get(pattern, "") or next(expressions, "")
