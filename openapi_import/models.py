"""Where tools come from."""

import uuid

from django.db import models


class SpecSource(models.Model):
    """One OpenAPI document, as it was last read. Its operations become Tool rows."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(max_length=64, unique=True)
    url = models.URLField(max_length=2000)
    title = models.CharField(max_length=200, blank=True)
    document = models.JSONField(help_text="The document as it was read.")
    document_hash = models.CharField(max_length=64)
    fetched_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.title or self.name
