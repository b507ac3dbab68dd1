"""What may be submitted for import, checked before anything is written."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.text import slugify

from openapi_import import getting
from openapi_import.errors import ImportRefused
from openapi_import.models import ImportJob, SourceKind, SpecSource
from smartsupport.lib.sealing import seal

NAME_LENGTH = 64


def checked(
    *,
    url: str,
    content: bytes | None,
    filename: str,
    base_url: str,
    name: str,
    headers: Mapping[str, Any] | None,
    kind: str = SourceKind.OPENAPI,
) -> ImportJob:
    """A job that is not saved yet. Raises ImportRefused (422), whose `fields` name what is wrong."""
    if kind == SourceKind.MCP and not url:
        raise _refused("mcp_url", "Give the address of the MCP server.")
    if bool(url) == (content is not None):
        raise ImportRefused(
            "Give either the address of a document (url) or the document itself (file or text)."
            if not url
            else "Give the address of a document or the document itself, not both.",
            fields={"url": ["Either an address or a document is needed, and only one of them."]},
        )
    for address in filter(None, (url, base_url)):
        getting.checked_url(address)
    if name and slugify(name) != name:
        raise _refused("name", "The name may have lower-case letters, digits, hyphens and underscores.")
    if len(name) > NAME_LENGTH:
        raise _refused("name", f"The name is longer than {NAME_LENGTH} characters.")
    if headers and not (url or base_url):
        raise _refused("headers", "Credentials need the address (base_url) whose server they are for.")
    return ImportJob(
        kind=kind,
        name=name,
        spec_url=url,
        base_url=base_url if content is not None else "",
        filename=filename[:200].replace("\0", ""),
        content=_checked_content(content) if content is not None else None,
        fetch_secret=seal(getting.checked_headers(headers)) if headers else "",
    )


def known_source(*, name: str, url: str, kind: str = SourceKind.OPENAPI) -> SpecSource | None:
    """The source that an import of this name, or without a name of this address, imports again. Raises ImportRefused
    where that is of the other kind: what calls it would be sent would go by other rules."""
    if name:
        found = SpecSource.objects.filter(name=name).first()
        if found is not None and found.kind != kind:
            raise _refused(
                "name", f"There is already an API of this name, and it is an {found.get_kind_display()}."
            )
        return found
    return SpecSource.objects.filter(url=url, kind=kind).order_by("-fetched_at").first() if url else None


def free_name(title: str) -> str:
    """A name made of a document's title that no source has: what calls itself like another one is not that one."""
    wanted = slugify(title)[: NAME_LENGTH - 4].strip("-_") or "api"
    taken = set(SpecSource.objects.filter(name__startswith=wanted).values_list("name", flat=True))
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    return wanted if wanted not in taken else next(name for name in numbered if name not in taken)


def _checked_content(content: bytes) -> bytes:
    if len(content) > settings.IMPORT_MAX_BYTES:
        raise _refused(
            "file", f"The document is larger than {settings.IMPORT_MAX_BYTES:,} bytes (IMPORT_MAX_BYTES)."
        )
    if not content.strip():
        raise _refused("file", "The document is empty.")
    return content


def _refused(name: str, message: str) -> ImportRefused:
    return ImportRefused(message, fields={name: [message]})
