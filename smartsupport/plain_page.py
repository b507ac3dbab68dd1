"""A page that needs nothing: no database, no session, no template and no file beside it. For what went wrong so far
that nobody knows what still works, and for who is not signed in."""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

from django.http import HttpRequest, HttpResponse
from django.utils.html import escape

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #374151; --strong: #111827; --accent: #2563eb; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #111827; --text: #d1d5db; --strong: #f9fafb; --accent: #93c5fd; }
}
body { background: var(--ground); color: var(--text); font: 16px/1.6 system-ui, sans-serif; margin: 0; }
main { box-sizing: border-box; margin: 0 auto; max-width: 34rem; min-height: 100vh; padding: 18vh 1.5rem 3rem; }
h1 { color: var(--strong); font-size: 1.375rem; line-height: 1.3; margin: 0 0 1rem; }
p { margin: 0 0 1rem; overflow-wrap: anywhere; }
a { color: var(--accent); display: inline-block; font-weight: 600; margin: .5rem 1.5rem 0 0; min-height: 1.5rem; }
"""
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    f"style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'"
)


@dataclass(frozen=True)
class Trouble:
    """What happened, and what to do next. `sentences` are paragraphs; `links` are (words, address)."""

    status: int
    title: str
    sentences: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()


def wants_page(request: HttpRequest) -> bool:
    """Whether a browser goes to a page, rather than a script asking for a piece of one."""
    return "text/html" in request.headers.get("Accept", "")


def answer(request: HttpRequest, trouble: Trouble) -> HttpResponse:
    """The page, or its words alone for a script. It brings a policy of its own, which knows the style by its hash."""
    if not wants_page(request):
        words = " ".join((f"{trouble.title}.", *trouble.sentences))
        return HttpResponse(words, status=trouble.status, content_type="text/plain; charset=utf-8")
    sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in trouble.sentences)
    links = "".join(f'<a href="{escape(address)}">{escape(words)}</a>' for words, address in trouble.links)
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(trouble.title)} | Smart Support</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{escape(trouble.title)}</h1>{sentences}{links}</main></body></html>"
    )
    return HttpResponse(page, status=trouble.status, headers={"Content-Security-Policy": POLICY})
