"""What of an import is exported: what would be published, in the order of the document."""

import re

from openapi_import.models import Classification, ImportJob

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")


def chosen(job: ImportJob) -> list[Classification]:
    """The selected, usable operations."""
    rows = Classification.objects.filter(job=job, selected=True, unusable="")
    return list(rows.defer("difference", "judged").order_by("index"))


def clean(text: str) -> str:
    """Text from a document without characters that no file should carry."""
    return UNPRINTABLE.sub(" ", text)


def module_name(job: ImportJob) -> str:
    """A name for files and variables made of the import's: lower-case letters, digits and _."""
    plain = re.sub(r"[^a-z0-9]+", "_", (job.name or "api").lower()).strip("_")
    return plain if plain and not plain[0].isdigit() else f"api_{plain}".rstrip("_")


def module_file(job: ImportJob) -> str:
    """What the exported Python module is saved as; the MCP configuration runs it under this name."""
    return f"{module_name(job)}_tools.py"
