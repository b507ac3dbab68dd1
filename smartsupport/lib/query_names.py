"""Which names the query string of a REST route may have: those that its published description has. Any other is
refused, because a filter with a typing error would be answered with everything."""

from collections.abc import Callable
from functools import cache
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.views import APIView


def refuse_unknown(handler: Callable[..., Any], request: Request) -> None:
    """`handler` is the view's method that is about to answer. Raises ValidationError (400), with each name that it does
    not know."""
    if not request.query_params:
        return
    known = of(getattr(handler, "__func__", handler))
    unknown = sorted(set(request.query_params) - known - {api_settings.URL_FORMAT_OVERRIDE})
    if unknown:
        there_are = f"Known are: {', '.join(sorted(known))}." if known else "None are known here."
        raise ValidationError(
            {name: [f"This query parameter is not known here. {there_are}"] for name in unknown}
        )


@cache
def of(handler: Callable[..., Any]) -> frozenset[str]:
    """What `extend_schema` says of this function of a view: the fields of the serializers, and the parameters."""
    described = getattr(handler, "kwargs", {}).get("schema")
    if described is None:
        return frozenset()
    schema = described()
    # It looks there for a version of the API, of which there is one.
    schema.view = APIView()
    schema.view.request, schema.view.kwargs = None, {}
    names: set[str] = set()
    for parameter in schema.get_override_parameters():
        if not isinstance(parameter, OpenApiParameter):
            names |= set(parameter().fields)
        elif parameter.location == OpenApiParameter.QUERY:
            names.add(parameter.name)
    return frozenset(names)
