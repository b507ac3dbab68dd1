"""A made-up business with an API of 1,000 operations, as an OpenAPI document: the same bytes every time.

`RESOURCES` is the table that it is made from: one line a resource, "area | name | fields | actions | parts". Every
resource can be listed, shown, created, changed and deleted; an action is an operation of its own (`cancel`,
`mark as paid`), and so is listing, adding and removing each of its parts.
"""

import json
from collections.abc import Iterator
from typing import Any

Operation = dict[str, Any]

RESOURCES = """
orders | order | status, placed after, total, currency, customer note | cancel, reopen, hold, release, confirm, duplicate, split | items, notes
orders | cart | currency, channel, coupon code | check out, empty | items
orders | quote | valid until, total, discount | accept, decline, send, convert to order | line items
orders | return request | reason, order, condition | approve, reject, receive, close | items
orders | exchange | reason, replacement product | approve, reject | -
orders | backorder | product, expected at | cancel, prioritise | -
orders | subscription | plan, start date, billing interval, quantity | cancel, pause, resume, renew, change plan | add-ons
orders | preorder | product, release date | cancel, confirm | -
orders | gift card | amount, recipient email, message | activate, void, redeem, check balance | -
orders | wish list | title, visibility | share | items
payments | payment | amount, currency, method, reference | capture, void, retry | -
payments | refund | amount, reason, payment | approve, cancel | -
payments | invoice | due date, amount, purchase order number | send, void, mark as paid, write off, download pdf | line items
payments | credit note | amount, reason, invoice | issue, void, apply to invoice | -
payments | payment method | kind, expiry month, billing address | set as default, verify | -
payments | dispute | reason, amount, due by | accept, contest, close | evidence
payments | payout | amount, arrival date, bank account | cancel, retry | -
payments | bank account | iban, bic, holder name | verify, set as default | -
payments | payment link | amount, expires at | deactivate, send | -
payments | payment plan | instalments, first due date | approve, cancel, pause | -
payments | dunning campaign | days overdue, message | start, stop | steps
payments | tax rate | percentage, country, valid from | archive | -
payments | tax exemption | certificate number, country, expires at | approve, revoke | -
payments | currency rate | base currency, quote currency, rate | refresh | -
payments | cash drawer | register, opening balance | open, close, count | -
payments | ledger account | code, kind | lock, reconcile | entries
payments | budget | amount, period, department | approve, freeze | -
payments | expense report | period, total, purpose | submit, approve, reject, reimburse | receipts
payments | wallet | balance, currency | top up, freeze, unfreeze | -
shipping | shipment | carrier, service level, weight | dispatch, cancel, track, reroute, hold at depot | packages
shipping | shipping label | format, carrier | void, reprint | -
shipping | carrier | name, service codes | enable, disable | rates
shipping | pickup | window start, window end, address | reschedule, cancel | -
shipping | delivery slot | starts at, ends at, capacity | reserve, release | -
shipping | customs declaration | incoterm, hs code, declared value | submit, amend | documents
shipping | delivery route | driver, vehicle, date | optimise, start, finish | stops
shipping | vehicle | registration, capacity, odometer | assign driver, take out of service | inspections
shipping | driver | licence number, phone | suspend, reinstate | shifts
shipping | parcel locker | address, compartments | open compartment, reset code | -
shipping | delivery claim | reason, shipment, amount | approve, reject | photos
stock | warehouse | address, capacity | activate, deactivate | bins
stock | stock level | product, warehouse, reorder point | adjust, reserve, release | -
stock | stock transfer | from warehouse, to warehouse, quantity | ship, receive, cancel | items
stock | stock count | warehouse, scheduled for | start, finish, approve | lines
stock | purchase order | supplier, expected at, total | approve, send, receive, cancel | lines
stock | supplier | name, lead time, payment terms | block, unblock | contacts
stock | batch | lot number, produced on, best before | quarantine, release, recall | -
stock | serial number | product, warranty until | register, transfer ownership | -
catalogue | product | title, brand, price, status | publish, unpublish, duplicate, archive | images, variants
catalogue | category | title, parent category | move, reorder | -
catalogue | price list | currency, valid from | activate, copy | prices
catalogue | promotion | percentage, starts at, ends at | launch, pause, end | rules
catalogue | coupon | code, percentage, usage limit | disable, validate, generate codes | -
catalogue | bundle | title, price | publish, unpublish | components
catalogue | product review | rating, title, text | approve, reject, reply, flag | -
catalogue | product question | text, product | answer, hide | -
catalogue | brand | name, logo url | merge | -
catalogue | size chart | unit, category | publish | rows
customers | customer | name, email, phone, language | block, unblock, merge, anonymise, verify email | tags, notes
customers | address | street, postcode, city, country | validate, set as default | -
customers | company | name, vat number, credit limit | approve, suspend | contacts
customers | customer segment | title, conditions | refresh, export | members
customers | loyalty account | points, tier | award points, deduct points, change tier | rewards
customers | referral | referred email, code | approve, reject | -
customers | consent record | purpose, channel, given at | withdraw, renew | -
customers | data request | kind, deadline | approve, fulfil, refuse | files
customers | identity check | document type, country | start, approve, reject | documents
support | ticket | subject, priority, status, assignee | assign, escalate, close, reopen, merge, snooze | replies, attachments, watchers
support | help article | title, body, language | publish, unpublish, translate | comments
support | canned response | title, text, language | share | -
support | service level policy | first response minutes, resolution hours | activate | targets
support | satisfaction survey | score, comment | send, close | answers
support | call | phone number, direction, duration | start, end, transfer, record | -
support | callback | phone number, wanted at | schedule, cancel, complete | -
support | chat session | channel, language | transfer, end | messages
support | complaint | subject, severity, regulator | acknowledge, resolve, escalate | -
support | warranty claim | serial number, fault, purchase date | approve, reject, settle | photos
support | repair | device, fault, estimate | start, complete, send estimate | parts
support | loan device | model, due back | hand out, take back | -
accounts | user | email, name, role, locale | invite, deactivate, reactivate, reset password, force sign out, unlock | permissions
accounts | team | name, lead | archive | members
accounts | role | name, description | clone | permissions
accounts | workspace | name, region, time zone | transfer ownership, archive, restore | members
accounts | session | device, ip address, last seen | revoke | -
accounts | two factor device | kind, label | enrol, confirm, disable | recovery codes
accounts | api key | label, scopes, expires at | rotate, revoke | -
accounts | single sign on connection | provider, metadata url | test, enable, disable | domains
accounts | audit entry | actor, action, occurred at | export | -
accounts | plan | title, price, seats | publish, retire | features
accounts | seat | holder, valid from | assign, free | -
accounts | usage meter | unit, period | report usage, reset | readings
accounts | trial | starts at, ends at | extend, convert, end | -
accounts | notification preference | channel, topic, frequency | mute, unmute | -
accounts | webhook | url, events, secret | test, pause, resume, rotate secret | deliveries
accounts | integration | provider, settings | connect, disconnect, sync now | mappings
accounts | feature flag | key, rollout percentage | turn on, turn off | -
marketing | email campaign | subject, audience, send at | schedule, send test, pause, cancel | links
marketing | mailing list | title, double opt in | import, clean | subscribers
marketing | message template | title, channel, body | preview, approve | versions
marketing | landing page | slug, headline | publish, unpublish | sections
marketing | lead | email, source, score | qualify, convert, assign | activities
marketing | event | title, venue, starts at, capacity | publish, cancel, postpone | attendees
marketing | advertisement | headline, daily budget | approve, pause | -
staff | employee | name, job title, start date, salary | terminate, transfer, promote | documents
staff | leave request | kind, first day, last day | approve, decline, cancel | -
staff | shift | starts at, ends at, location | swap, claim, publish | breaks
staff | timesheet | week, hours | submit, approve, reopen | entries
staff | job opening | title, department, location | publish, close | applicants
staff | interview | candidate, time, panel | reschedule, cancel, score | -
staff | training course | title, provider, hours | enrol, complete | lessons
staff | payroll run | period, pay date | calculate, approve, post | payslips
staff | equipment | asset tag, model, holder | check out, check in, report lost | -
places | store | name, address, phone, opening hours | open, close temporarily | departments
places | room | name, floor, seats | book, block | amenities
places | booking | starts at, ends at, party size | confirm, cancel, move, check in, mark as no show | guests
places | table | number, seats | reserve, seat guests, clear | -
places | service appointment | service, starts at, professional | reschedule, cancel, confirm | -
places | waiting list entry | name, party size, phone | notify, seat, drop | -
places | maintenance order | fault, asset, priority | assign, start, complete | parts
contracts | contract | parties, effective date, term months | sign, terminate, renew, amend | clauses, attachments
contracts | insurance policy | number, cover, premium | renew, cancel, endorse | beneficiaries
contracts | insurance claim | incident date, amount, description | approve, deny, settle, reopen | documents
contracts | lease | start date, end date, monthly rent | renew, terminate | tenants
contracts | signature request | signer email, deadline | send, remind, cancel | signers
reports | report | title, period, format | run, schedule, share, export | -
reports | dashboard | title, layout | share, duplicate | widgets
reports | data export | kind, format, from date | start, cancel, download | -
reports | data import | kind, file name | start, cancel, retry, undo | errors
reports | alert rule | metric, threshold, recipients | mute, unmute, test | -
reports | sales forecast | period, region | recalculate, approve | -
""".strip().splitlines()

UNCOUNTED = ("equipment", "evidence")
OPERATIONS = 1000
SPARE = ("delete", "remove", "add")


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Operation]] = {}
    for method, path, operation in _thinned(list(_operations())):
        paths.setdefault(path, {})[method] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Harbour & Vale business API", "version": "1.0.0"},
        "servers": [{"url": "https://api.harbour-vale.example/v1"}],
        "paths": paths,
    }


def _thinned(operations: list[tuple[str, str, Operation]]) -> list[tuple[str, str, Operation]]:
    """Exactly `OPERATIONS` of them: of what deletes, removes and adds parts, some are left out evenly, as real APIs do."""
    spare = [operation for operation in operations if operation[2]["operationId"].startswith(SPARE)]
    surplus = len(operations) - OPERATIONS
    left_out = {spare[index * len(spare) // surplus][2]["operationId"] for index in range(surplus)}
    return [operation for operation in operations if operation[2]["operationId"] not in left_out]


def _operations() -> Iterator[tuple[str, str, Operation]]:
    for line in RESOURCES:
        area, name, fields, actions, parts = (part.strip() for part in line.split("|"))
        yield from _resource(area, name, _listed(fields), _listed(actions), _listed(parts))


def _resource(
    area: str, name: str, fields: list[str], actions: list[str], parts: list[str]
) -> Iterator[tuple[str, str, Operation]]:
    many = plural(name)
    place = f"/{_slug(many)}" if area == many else f"/{area}/{_slug(many)}"
    item = f"{place}/{{{_snake(name)}_id}}"
    key = [_path_parameter(name)]
    a = f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
    filters = [_query(field, f"Only {many} with this {field}.") for field in fields[:3]]
    yield "get", place, _made(f"list {many}", f"List {many}", f"Pages through {many}, newest first.", filters)
    yield "get", item, _made(f"get {name}", f"Get {a}", f"Returns {a} by its id.", key)
    yield "post", place, _made(f"create {name}", f"Create {a}", f"Creates {a}.", [], fields)
    yield "patch", item, _made(f"update {name}", f"Update {a}", f"Changes the given fields of {a}.", key, fields)
    yield "delete", item, _made(f"delete {name}", f"Delete {a}", f"Deletes {a} for good.", key)
    for action in actions:
        yield "post", f"{item}/{_slug(action)}", _action(name, a, action, key)
    for part in parts:
        yield from _part(item, name, a, part, key)


def _action(name: str, a: str, action: str, key: list[Any]) -> Operation:
    verb, _, rest = action.partition(" ")
    summary = f"{verb.capitalize()} {a}{' ' + rest if rest else ''}"
    return _made(f"{verb} {name} {rest}".strip(), summary, f"{summary}.", key, [])


def _part(item: str, name: str, a: str, part: str, key: list[Any]) -> Iterator[tuple[str, str, Operation]]:
    single = _singular(part)
    path, one = f"{item}/{_slug(part)}", f"{item}/{_slug(part)}/{{{_snake(single)}_id}}"
    both = [*key, _path_parameter(single)]
    yield "get", path, _made(f"list {name} {part}", f"List {part} of {a}", f"All {part} of {a}.", key)
    yield "post", path, _made(
        f"add {name} {single}", f"Add {part} to {a}", f"Adds one of the {part} of {a}.", key, ["value"]
    )
    yield "delete", one, _made(
        f"remove {name} {single}", f"Remove {part} from {a}", f"Removes one of the {part} of {a}.", both
    )


def _made(
    identifier: str, summary: str, description: str, parameters: list[Any], fields: list[str] | None = None
) -> Operation:
    operation: Operation = {
        "operationId": _camel(identifier),
        "summary": summary,
        "description": description,
        "parameters": parameters,
        "responses": {"200": {"description": "Done."}},
    }
    if fields:
        properties = {_snake(field): {"type": "string", "description": f"The {field}."} for field in fields}
        schema = {"type": "object", "properties": properties}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _path_parameter(name: str) -> dict[str, Any]:
    field = f"{_snake(name)}_id"
    described = f"Which {name} is meant."
    return {"name": field, "in": "path", "required": True, "description": described, "schema": {"type": "string"}}


def _query(field: str, described: str) -> dict[str, Any]:
    return {"name": _snake(field), "in": "query", "description": described, "schema": {"type": "string"}}


def plural(name: str) -> str:
    if name in UNCOUNTED:
        return name
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + ("es" if name.endswith(("s", "ch", "sh", "x")) else "s")


def _singular(part: str) -> str:
    if part in UNCOUNTED:
        return part
    return part[:-3] + "y" if part.endswith("ies") else part.removesuffix("s")


def _listed(text: str) -> list[str]:
    return [] if text == "-" else [item.strip() for item in text.split(",")]


def _slug(words: str) -> str:
    return words.replace(" ", "-")


def _snake(words: str) -> str:
    return words.replace(" ", "_").replace("-", "_")


def _camel(words: str) -> str:
    first, *rest = words.replace("-", " ").split()
    return first + "".join(word.capitalize() for word in rest)


if __name__ == "__main__":
    print(json.dumps(document(), indent=1))
