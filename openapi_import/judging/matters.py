"""What is at stake in an operation, and who must agree to it: words about money, loss, persons, and own matters."""

from collections.abc import Iterable

from openapi_import.judging.access import Verdict
from openapi_import.judging.endpoint import Approval, Endpoint, Risk
from openapi_import.judging.names import Name
from openapi_import.judging.words import opening, segments, words


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


MONEY = _set(
    """money refund refunds discount discounts coupon coupons voucher vouchers credit credits charge charges payment
    payments pay payout payouts invoice invoices price prices pricing billing transfer transfers withdraw
    withdrawal withdrawals deposit deposits balance balances wallet wallets giftcard purchase purchases checkout
    buy tip tips loan loans compensation compensate goodwill reward rewards redeem debit debits capture
    chargeback chargebacks reimburse reimbursement rebate rebates cashback surcharge fee fees disbursement
    disburse settlement settle payroll salary commission budget iban remit donate donation waive promo promotion
    promotions loyalty points plan subscribe upgrade prepay repay mandate"""
)
MONEY_ARGUMENTS = _set("amount currency price discount refund percent percentage credit iban tip fee")
"""Words in the name of an argument that make a write one about money."""

LOSSES = _set(
    """delete remove cancel terminate destroy purge wipe erase drop close revoke reset deactivate disable suspend
    uninstall ban void reject expire clear merge truncate expunge anonymize anonymise redact unsubscribe
    deregister unregister discard overwrite kill evict block decline deny abort forget invalidate archive detach
    stop shutdown replace restore rollback revert disconnect prune trim empty flush deprovision undeploy execute
    run send"""
)
"""Verbs whose effect cannot simply be taken back; what was sent cannot be either."""

PERSONAL = _set(
    """address addresses email emails phone phones mobile profile profiles identity identities kyc ssn passport
    birthday birthdate personal gdpr consent consents contact contacts password passwords credential credentials
    customer customers user users patient patients employee employees member members person persons people
    passenger passengers guest guests medical health prescription prescriptions diagnosis household resident
    residents biometric token secret"""
)

STAFF_SIDE = _set(
    """admin administrator admins staff employee employees internal backoffice bulk batch mass operator operators
    system moderator impersonate all everyone"""
)
"""Words that say that an operation is not a customer's own."""

OWN_PATHS = _set("me my self mine")

_ORDERLIKE = _set(
    "order orders booking bookings reservation reservations appointment appointments delivery deliveries"
)
_SETTINGS = _set(
    """address addresses preference preferences profile newsletter newsletters notification notifications language
    consent consents wishlist cart basket settings slot"""
)
OWN_MATTERS: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (_set("cancel"), _ORDERLIKE | _set("subscription subscriptions membership request ticket return")),
    (_set("reschedule rebook"), _ORDERLIKE),
    (_set("pause skip"), _set("subscription subscriptions delivery deliveries membership")),
    (_set("update change edit modify set put patch replace save"), _SETTINGS),
    (
        _set("add remove delete"),
        _set("wishlist cart basket favorite favorites favourite favourites address addresses"),
    ),
    (
        _set("unsubscribe optout"),
        _set("newsletter newsletters notification notifications mailing marketing emails"),
    ),
    (
        _set("create add submit open post write leave file send"),
        _set("ticket tickets review feedback rating complaint"),
    ),
)
"""(verbs, nouns) of what is the customer's own to decide, where the operation is bound to them."""


def risk_of(endpoint: Endpoint, name: Name, verdict: Verdict) -> tuple[Risk, str]:
    """What is at stake, and the word that says so. Texts count, too: they can only make it worse."""
    named = [*name.words, *name.outer, *(word for segment in name.path for word in segment)]
    about = [*name.words, *name.outer, *(name.path[-1] if name.path else ())]  # not /customers/{id} before it
    if verdict.access == "read":
        word = _first(about, PERSONAL)
        return ("personal", word) if word else ("safe", "")
    arguments = [word for argument in endpoint.parameters for word in words(argument)]
    said = words(endpoint.summary)
    if word := _first(named, MONEY) or _first(arguments, MONEY_ARGUMENTS) or _first(said, MONEY):
        return "money", word
    if name.method == "DELETE":
        return "destructive", "DELETE"
    begins = opening(endpoint.summary).removesuffix("s")
    if word := _first([name.verb, *_actions(name), begins], LOSSES) or _first(name.words, LOSSES):
        return "destructive", word
    if word := _first(about, PERSONAL) or _first(said, PERSONAL):
        return "personal", word
    return "reversible", ""


def approval_of(
    endpoint: Endpoint, name: Name, verdict: Verdict, risk: Risk, bound: bool
) -> tuple[Approval, str]:
    """Who must agree, and for the customer the words that make it their own matter.

    A customer agrees only to what is clearly theirs: sure to be a write, about one of OWN_MATTERS, tied to them by a
    bound argument or a path like `/me`, not about money, and with no word of staff in it.
    """
    if verdict.access == "read":
        return "none", ""
    named = {*name.words, *name.outer, *(word for segment in name.path for word in segment)}
    tags = {word for tag in endpoint.tags for word in words(tag)}
    theirs = bound or any(
        len(segment) == 1 and segment[0] in OWN_PATHS for segment in segments(endpoint.path)
    )
    raw = set(words(endpoint.operation_id))
    if verdict.uncertain or risk == "money" or not theirs or (named | tags | raw) & STAFF_SIDE:
        return "staff", ""
    verbs = {name.verb, *_actions(name)} - {""} or {name.method.lower()}
    for own_verbs, nouns in OWN_MATTERS:
        if (verb := _first(verbs, own_verbs)) and (noun := _first(sorted(named), nouns)):
            return "customer", f"{verb} {noun}"
    return "staff", ""


def _actions(name: Name) -> list[str]:
    """The first word of the path's last segment, where an action stands."""
    return [name.path[-1][0]] if name.path else []


def _first(found: Iterable[str], wanted: frozenset[str]) -> str:
    return next((word for word in found if word in wanted), "")
