"""Which version of OpenAPI a document follows."""

from typing import Any

from openapi_import.errors import SpecInvalid
from openapi_import.reading.faults import Faults
from openapi_import.reading.text import Document

NEWEST = "3.2"


def dialect_of(document: Document, faults: Faults) -> str:
    """2.0, 3.0, 3.1 or 3.2. A newer 3.x is read as the newest that is known; where the version is missing, what the
    document is made of decides, with a fault. Raises SpecInvalid where it is not OpenAPI."""
    version = document.get("openapi")
    if isinstance(version, int | float) and not isinstance(version, bool):
        faults.warning("/openapi", "The version is a number; it has to be text.")
        version = str(version)
    if isinstance(version, str) and version.strip():
        return _of_three(version.strip(), faults)
    if "swagger" in document:
        swagger = document["swagger"]
        if str(swagger).strip() in ("2.0", "2"):
            return "2.0"
        raise SpecInvalid(f"Swagger {str(swagger)[:20]} is not supported. Convert the document to OpenAPI 3.")
    return _guessed(document, faults)


def label(dialect: str) -> str:
    """As people read it: Swagger 2.0, OpenAPI 3.1."""
    return f"Swagger {dialect}" if dialect == "2.0" else f"OpenAPI {dialect}"


def _of_three(version: str, faults: Faults) -> str:
    for known in ("3.0", "3.1", "3.2"):
        if version == known or version.startswith((f"{known}.", f"{known}-")):
            return known
    if version == "3":
        return "3.0"
    if version.startswith("2."):
        faults.error("/openapi", "Version 2 is named in the field swagger, not openapi.")
        return "2.0"
    if version.startswith("3."):
        faults.warning(
            "/openapi", f"OpenAPI {version[:20]} is newer than what is known; it is read as {NEWEST}."
        )
        return NEWEST
    raise SpecInvalid(f"OpenAPI {version[:20]} is not supported. Use Swagger 2.0 or OpenAPI 3.0, 3.1 or 3.2.")


def _guessed(document: Document, faults: Faults) -> str:
    missing = "The document does not say which version of OpenAPI it follows (the field openapi)"
    marks: dict[str, Any] = {
        "2.0": ("definitions", "securityDefinitions", "basePath", "host", "consumes", "produces"),
        "3.0": ("components", "servers"),
    }
    for dialect in ("3.0", "2.0"):
        if isinstance(document.get("paths"), dict) and any(mark in document for mark in marks[dialect]):
            faults.error("", f"{missing}; it is read as {label(dialect)}.")
            return dialect
    raise SpecInvalid(f"{missing}.")
