"""Was this a refusal, and did it tell anything?"""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import reverse

from tests.isolation.crowd import Caller
from tests.isolation.routes import Ids, Route
from tests.isolation.world import MARK

HOPS = 3
OF_THE_MOMENT = re.compile(r"\n(?:Content-Length|Expires|Last-Modified|Date|RateLimit): [^\n]*")
ONE_TIME = re.compile(r'csrfmiddlewaretoken" value="[^"]*"|nonce="[^"]*"|"csrf[^"]*": ?"[^"]*"')
FORM = {
    "_form_submitted": "True",
    "reason": "because",
    "note": "It is there.",
    "content": "Hello",
    "overlap_hours": "24",
    "template": "ecommerce",
    "name": "renamed",
}


@dataclass(frozen=True)
class Answer:
    kind: int | str
    """The status at the end of the redirects, or "sign-in", or "home": where the console sends whoever asks for a row
    that is not there."""
    text: str
    """All that came back, redirects and headers included, without the ids that were asked for."""

    @property
    def leaks(self) -> bool:
        return MARK in self.text


def ask(client: Client, caller: Caller, method: str, url: str, body: Any, known: Ids) -> Answer:
    address = f"{url}{'&' if '?' in url else '?'}{caller.query}" if caller.query else url
    if url.startswith("/admin/"):
        response = client.generic(
            method, address, _form(body), content_type="application/x-www-form-urlencoded"
        )
    else:
        response = client.generic(method, address, json.dumps(body), content_type="application/json")
    texts = [_whole(response)]
    ends = {reverse("admin:login"): "sign-in", reverse("admin:index"): "home"}
    for _ in range(HOPS):
        if response.status_code not in (301, 302, 303, 307, 308):
            break
        target = urlsplit(response.headers["Location"])
        if target.path in ends:
            return Answer(ends[target.path], _without(url, known, texts))
        response = client.get(f"{target.path}?{target.query}")
        texts.append(_whole(response))
    return Answer(response.status_code, _without(url, known, texts))


def _form(body: Any) -> str:
    return "&".join(f"{name}={value}" for name, value in {**FORM, **(body or {})}.items())


def _whole(response: HttpResponseBase) -> str:
    streamed = getattr(response, "streaming_content", None)
    content = b"".join(streamed) if streamed is not None else response.content  # type: ignore[attr-defined]
    headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
    cookies = "\n".join(sorted(f"{name}=" for name in response.cookies))
    return f"{response.status_code}\n{headers}\n{cookies}\n{content.decode(errors='replace')}"


def _without(url: str, ids: Ids, texts: list[str]) -> str:
    text = OF_THE_MOMENT.sub("", ONE_TIME.sub("", "\n".join(texts)))
    for spelled in (url, quote(url), quote(url, safe="")):
        text = text.replace(spelled, "URL")
    asked = {ids.thread_id, ids.turn_id, ids.interrupt_id, ids.name, *ids.row.values()}
    asked |= {
        ids.customer,
        ids.customer_id,
        ids.job_id,
        ids.index,
        ids.source_name,
        ids.publication_id,
        ids.number,
        ids.key_id,
        ids.link_id,
    }
    for value in sorted(asked, key=len):
        if len(value) > 3:
            text = text.replace(value, "ID")
    return text


def body_for(route: Route, method: str, bodies: dict[tuple[str, str], Any]) -> Any:
    documented = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.pattern)
    return dict(bodies.get((documented, method), {}))
