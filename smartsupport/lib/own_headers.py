"""Headers that are never a model's to set: connection, framing, routing, what is ours, and who is calling.

Names are compared without case and without `-`, `_` and `.`: servers read them that laxly, too.
"""

import re

_NAMES = frozenset(
    """
    accept accept-charset accept-encoding connection content-encoding content-length content-type cookie cookie2 date
    dnt expect forwarded host idempotency-key keep-alive origin referer set-cookie te trailer transfer-encoding upgrade
    user-agent via x-csrf-token x-xsrf-token x-http-method x-http-method-override x-method-override x-original-url
    x-original-uri x-original-host x-original-method x-rewrite-url x-host x-real-ip x-client-ip true-client-ip
    cf-connecting-ip fastly-client-ip x-cluster-client-ip x-originating-ip x-remote-ip x-remote-addr

    remote-user x-remote-user x-original-user x-authenticated-user x-authenticated-userid x-authenticated-groups
    x-auth-user x-auth-email x-user-email x-user-name x-user-role x-user-roles x-user-groups x-user-scopes
    x-user-permissions x-roles x-role x-groups x-scopes x-userinfo x-user-info x-permissions x-username x-email
    on-behalf-of x-on-behalf-of as-user x-as-user x-act-as x-acting-as run-as x-run-as sudo x-sudo switch-user
    x-switch-user x-principal x-actor x-identity x-subject x-amzn-principal x-amzn-iot-principal
    impersonation-resource-id

    x-amz-algorithm x-amz-credential x-amz-signature x-amz-signed-headers x-amz-date x-amz-content-sha256 x-nonce
    x-timestamp x-hmac hmac
    """.split()
)
_PREFIXES = tuple(
    (
        "proxy- sec- x-forwarded- access-control- impersonate- x-impersonat x-remote-user- x-auth-request- x-webauth- "
        "x-goog-authenticated- x-goog-iap- x-amzn-oidc- x-ms-client-principal x-ms-token- x-consumer- x-credential- "
        "x-ssl-client ssl-client x-client-cert x-envoy- cf-access- tailscale- x-hasura- x-oidc- x-saml-"
    ).split()
)
_KEY = re.compile(
    r"(?:token|secret|passw(?:or)?d|passphrase|credentials?|authori[sz]ation|authentication|auth|mfa|jwt|bearer|cookie"
    r"|(?:api|app|application|access|secret|auth|user|system|sdk|subscription|shared|account|master|private|customer)keys?"
    r"|accesskeyid|sessionid|appid|applicationid|integrationcode)$"
    r"|^x?(?:session|otp|pin|key|apiid|apiuser|apiusername|username|login|userpass|clientid)$"
)
"""What proves who calls, by the end of its name or by all of it: `X-Shop-ApiToken`, `secret`, `username`."""
_NO_KEY = re.compile(
    r"(?:next|page|paging|continuation|sync|delta|skip|cursor|resume|change|cancel(?:lation)?|idempotency|request|client"
    r"|lock|operation)token$"
)
"""Tokens that say where a list goes on, or that a call is the same one: `X-Amz-Client-Token`."""
_TENANT = re.compile(
    r"(?:x-)?(?:[a-z0-9]+[-_.])*(?:tenant|organi[sz]ation|org|company|merchant|workspace|account)"
    r"(?:[-_.]?(?:id|uuid|guid|key|code|slug))?"
)
"""Whose part of the business system is meant: the same for all customers, so staff store it like a key."""
_PERSON = re.compile(
    r"(?:x-)?(?:(?:[a-z0-9]+-)*(?:user|customer|psu)(?:[-_.]?(?:id|uuid|guid|no|number|ref))?"
    r"|(?:[a-z0-9]+-)*(?:cust|member|subscriber|patient|guest|shopper|buyer|consumer|passenger|cardholder|employee|agent"
    r"|caller|requester|requestor|staff|operator)[-_.]?(?:id|uuid|guid|no|number|ref)"
    r"|account[-_.]?(?:id|uuid|guid|no|number|ref))"
)


def is_own(name: str) -> bool:
    """Whether a request header of that name is left to the code that sends the request, whoever wants to set it."""
    return _is_listed(name) or is_key(name)


def is_key(name: str) -> bool:
    """Whether a header of that name proves who sends a request, or for which account: staff store its value."""
    if names_person(name) or _is_listed(name):
        return False
    plain = _plain(name)
    return bool((_KEY.search(plain) and not _NO_KEY.search(plain)) or _TENANT.fullmatch(_lower(name)))


def names_person(name: str) -> bool:
    """Whether a header of that name says whose request it is: only the verified identity may fill it in."""
    return bool(_PERSON.fullmatch(_lower(name))) and not _is_listed(name)


def _is_listed(name: str) -> bool:
    plain = _plain(name)
    return plain in _PLAIN_NAMES or _lower(name).startswith(_PREFIXES) or plain.endswith("signature")


def _lower(name: str) -> str:
    return name.strip().lower()


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", _lower(name))


_PLAIN_NAMES = frozenset(re.sub(r"[^a-z0-9]", "", name) for name in _NAMES)
