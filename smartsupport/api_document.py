"""The published OpenAPI document. It is public, and the same for everybody: a process makes it once, and each form of
it (JSON, YAML) once, instead of some tenths of a second's work for whoever asks."""

from functools import cache
from threading import Lock
from typing import Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer
from drf_spectacular.views import SpectacularAPIView

_making = Lock()
"""The generator loads and remembers things as it goes: two at a time break each other."""


class DocumentView(SpectacularAPIView):
    renderer_classes = [
        OpenApiJsonRenderer,
        OpenApiJsonRenderer2,
        OpenApiYamlRenderer,
    ]  # the second: plain JSON

    def _get_schema_response(self, request: Any) -> HttpResponse:
        kind: Any = type(request.accepted_renderer)
        filename: Any = self._get_filename
        named = {"Content-Disposition": f'inline; filename="{filename(request, "")}"'}
        with _making:
            written = _written(kind)
        return HttpResponse(written, content_type=kind.media_type, headers=named)


@cache
def _written(kind: Any) -> bytes:
    written: bytes = kind().render(_document(), kind.media_type, renderer_context={})
    return written


@cache
def _document() -> dict[str, Any]:
    generator: Any = SchemaGenerator
    document: dict[str, Any] = generator().get_schema(request=None, public=True)
    return document
