"""Every answer under /api/ is the envelope, whoever made it; every page has its content security policy."""

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from rest_framework import exceptions, permissions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from smartsupport import csp, urls
from smartsupport.lib.errors import ServiceError

REFUSALS = {
    "http404": Http404("secret detail"),
    "denied": PermissionDenied("secret detail"),
    "parse": exceptions.ParseError("secret detail"),
    "invalid": exceptions.ValidationError({"name": ["Too short."]}),
    "throttled": exceptions.Throttled(wait=3),
    "service": ServiceError("Somebody was first.", code="already_decided", by="anna"),
    "crash": ZeroDivisionError("secret detail"),
}


class Named(serializers.Serializer):
    name = serializers.CharField()


class Anything(APIView):
    authentication_classes = ()
    permission_classes = (permissions.AllowAny,)

    def get(self, request: Request, what: str) -> Response:
        if what in REFUSALS:
            raise REFUSALS[what]
        if what == "nothing":
            return Response(status=204)
        return Response({"hello": [1, None]})

    def post(self, request: Request, what: str) -> Response:
        asked = Named(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(asked.validated_data, status=201)


class Forgotten(APIView):
    """Says nothing about who may use it."""

    def get(self, request: Request) -> Response:
        return Response({"secret": True})


def plain_crash(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("secret detail")


urlpatterns = [
    path("api/v1/any/<str:what>", Anything.as_view()),
    path("api/v1/forgotten", Forgotten.as_view()),
    path("api/v1/plain-crash", plain_crash),
    *urls.urlpatterns,
]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def caller() -> Client:
    return Client(raise_request_exception=False)


def assert_refusal(answer, status: int, code: str) -> dict:
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert body.keys() == {"success", "data", "error"}
    assert body["success"] is False
    assert body["data"] is None
    assert body["error"]["code"] == code
    assert "secret" not in answer.content.decode()
    return body["error"]


def test_data_is_put_into_the_envelope(caller: Client) -> None:
    answer = caller.get("/api/v1/any/fine")

    assert answer.json() == {"success": True, "data": {"hello": [1, None]}, "error": None}


def test_no_content_stays_empty(caller: Client) -> None:
    answer = caller.get("/api/v1/any/nothing")

    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ("http404", 404, "not_found"),
        ("denied", 403, "forbidden"),
        ("parse", 400, "invalid_json"),
        ("invalid", 400, "invalid"),
        ("throttled", 429, "rate_limited"),
        ("service", 400, "already_decided"),
        ("crash", 500, "server_error"),
    ],
)
@pytest.mark.parametrize("debug", [True, False])
def test_every_refusal_of_a_view(caller: Client, what: str, status: int, code: str, debug: bool) -> None:
    with override_settings(DEBUG=debug):
        error = assert_refusal(caller.get(f"/api/v1/any/{what}"), status, code)

    if what == "service":
        assert error == {"code": code, "message": "Somebody was first.", "by": "anna"}
    if what == "invalid":
        assert error["fields"] == {"name": ["Too short."]}


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    ("where", "status", "code"),
    [
        ("/api/v1/no-such-route", 404, "not_found"),
        ("/api/", 404, "not_found"),
        ("/api", 404, "not_found"),
        ("/api/v1/plain-crash", 500, "server_error"),
    ],
)
def test_what_no_view_answered(caller: Client, where: str, status: int, code: str, debug: bool) -> None:
    with override_settings(DEBUG=debug):
        assert_refusal(caller.get(where), status, code)


def test_a_method_that_is_not_there(caller: Client) -> None:
    answer = caller.delete("/api/v1/any/fine")

    assert_refusal(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


def test_a_host_that_is_not_ours(caller: Client) -> None:
    with override_settings(ALLOWED_HOSTS=["support.example.com"]):
        assert_refusal(caller.get("/api/v1/health", headers={"host": "evil.example.com"}), 400, "bad_request")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[NaN]", b'{"name": ' * 3, b"[" * 200_000, b'"text"', b"null", b"[]"]
)
def test_a_body_that_cannot_be_used(caller: Client, body: bytes) -> None:
    answer = caller.post("/api/v1/any/fine", data=body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in {"invalid_json", "invalid"}


def test_a_body_of_another_kind(caller: Client) -> None:
    answer = caller.post("/api/v1/any/fine", data="name=x", content_type="text/plain")

    assert_refusal(answer, 415, "unsupported_media_type")


@pytest.mark.django_db
def test_a_view_that_forgot_to_say_who_may_is_closed(caller: Client) -> None:
    assert_refusal_of_stranger = caller.get("/api/v1/forgotten")

    error = assert_refusal(assert_refusal_of_stranger, 401, "not_authenticated")
    assert error["message"] == "Missing X-API-Key header"


def test_pages_outside_the_api_keep_their_own_errors(caller: Client) -> None:
    answer = caller.get("/no-such-page")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("accept", ["application/json", "application/json, text/plain, */*"])
def test_the_schema_is_given_to_who_asks_for_json(caller: Client, accept: str) -> None:
    answer = caller.get("/api/v1/schema/", headers={"Accept": accept})

    assert (answer.status_code, json.loads(answer.content)["openapi"]) == (200, "3.1.0")
    assert answer.headers["Content-Type"].startswith("application/json")


def test_the_published_document_describes_the_envelope(caller: Client) -> None:
    from openapi_spec_validator import validate

    answer = caller.get("/api/v1/schema/")
    document = json.loads(answer.content)

    assert answer.status_code == 200
    assert document["openapi"] == "3.1.0"
    validate(document)
    schemas = [
        content["schema"]
        for path, operations in document["paths"].items()
        if path != "/api/v1/health"  # says its two facts beside the envelope, too
        for operation in operations.values()
        for code, response in operation["responses"].items()
        for content in [response.get("content", {}).get("application/json")]
        if content and code.startswith("2") and len(response["content"]) == 1  # others are files
    ]
    assert schemas
    assert all(set(schema["required"]) == {"success", "data", "error"} for schema in schemas)


def test_the_documentation_page_loads_nothing_from_elsewhere(caller: Client) -> None:
    page = caller.get("/api/v1/docs/").content.decode()

    assert "swagger-ui" in page
    assert "https://" not in page
    assert "<script>" not in page


@pytest.mark.parametrize("where", ["/", "/healthz", "/no-such-page", "/api/v1/no-such-route"])
def test_the_policy_is_strict_everywhere(where: str) -> None:
    policy = csp.policy(RequestFactory().get(where))

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "connect-src 'self' ws://testserver" in policy


def test_the_policy_names_the_secure_socket_on_a_secure_page() -> None:
    assert "connect-src 'self' wss://testserver;" in csp.policy(RequestFactory().get("/", secure=True))


def test_the_policy_is_looser_in_the_console_only_where_its_theme_needs_it() -> None:
    policy = csp.policy(RequestFactory().get("/admin/"))

    assert "script-src 'self' 'unsafe-eval';" in policy
    assert "style-src 'self' 'unsafe-inline';" in policy
    assert csp.policy(RequestFactory().get("/administrator/")) == csp.policy(RequestFactory().get("/"))


@pytest.mark.parametrize("where", ["/healthz", "/api/v1/health", "/api/v1/no-such-route", "/no-such-page"])
def test_every_answer_has_the_header(caller: Client, where: str) -> None:
    assert "default-src 'none'" in caller.get(where).headers[csp.HEADER]
