"""Imports and API documents in the console."""

from openapi_import.admin.imports import ImportJobAdmin
from openapi_import.admin.sources import SpecSourceAdmin

__all__ = ["ImportJobAdmin", "SpecSourceAdmin"]
