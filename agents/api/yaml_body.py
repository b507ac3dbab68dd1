"""YAML in the body of a request, in the three ways that it may come."""

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import UnsupportedMediaType, ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from agents.api.serializers import ImportSerializer
from smartsupport.lib.rest import read_body

LARGEST = 1_000_000
YAML_FILE = {"contentMediaType": "application/yaml", "description": "A file: YAML as text."}
"""How the published document describes one that is answered: no type, because some read the text and some the YAML."""
TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain")


class YamlParser(BaseParser):
    """The body as it is, for the media types that people use for YAML."""

    media_type = "*/*"  # narrowed below: DRF knows one media type per parser, and this one is asked last

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        kind = (media_type or "").split(";")[0].strip().lower()
        if kind not in TYPES:
            raise UnsupportedMediaType(media_type or "")
        data: bytes = stream.read(LARGEST + 1)
        return data


class JsonWhateverAsked(DefaultContentNegotiation):
    """For a download: `Accept` does not matter, and a refusal is still our JSON."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


def yaml_text(request: Request) -> str:
    """The YAML that was sent. Raises ValidationError (400)."""
    data: Any = request.data
    if isinstance(data, bytes):
        return _decoded(data, "yaml")
    uploaded = request.FILES.get("file") if isinstance(data, Mapping) else None
    if uploaded is not None:
        return _decoded(uploaded.read(LARGEST + 1), "file")
    if request.FILES or (request.content_type or "").startswith("multipart/"):
        raise ValidationError({"file": ["Choose a YAML file."]})
    text: str = read_body(ImportSerializer, request)["yaml"]
    return text


def _decoded(data: bytes, field: str) -> str:
    if len(data) > LARGEST:
        raise ValidationError({field: ["The document is larger than 1 MB."]})
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValidationError({field: ["The document is not UTF-8 text."]}) from None
    if not text.strip():
        raise ValidationError({field: ["The document is empty."]})
    return text
