"""Views with every fault that the check is there to find, on the product's own URLs. For test_it_bites."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chat.models import Conversation, Customer, Turn
from smartsupport.lib.rest import Need
from smartsupport.urls import urlpatterns as product

READ = Need("conversations:read", "chat.view_conversation")


def to_anybody(request: HttpRequest, thread_id: str) -> JsonResponse:
    """Forgot to ask who is asking."""
    row = Conversation.objects.filter(thread_id=thread_id).first()
    return JsonResponse({"line": row.last_line if row else ""}, status=200 if row else 404)


class ToAnyKey(APIView):
    """Asks for a key, and not for its scope."""

    permission_classes: ClassVar = []
    needs: ClassVar = {"GET": READ}

    def get(self, request: Request) -> Response:
        if not request.user.is_authenticated:
            raise Http404
        return Response({"names": list(Customer.objects.values_list("name", flat=True))})


class TellsWhatExists(APIView):
    """Refuses, and tells before that whether there is such a thread."""

    permission_classes: ClassVar = [AllowAny]
    needs: ClassVar = {"GET": READ}

    def get(self, request: Request, thread_id: str) -> Response:
        known = Conversation.objects.filter(thread_id=thread_id).exists()
        return Response({"detail": "No."}, status=401 if known else 403)


class RefusesTooLate(APIView):
    """Refuses when it is done."""

    permission_classes: ClassVar = [AllowAny]
    needs: ClassVar = {"POST": READ}

    def post(self, request: Request, thread_id: str) -> Response:
        Conversation.objects.filter(thread_id=thread_id).update(status="resolved")
        return Response({"detail": "No."}, status=401)


@staff_member_required
def to_all_staff(request: HttpRequest) -> HttpResponse:
    """Asks whether somebody is staff, and not what they may do."""
    return HttpResponse("\n".join(Customer.objects.values_list("email", flat=True)))


class LooksUpByTheLastIdAlone(APIView):
    """Finds a turn by its id, whoever's thread stands before it."""

    needs: ClassVar = {"GET": READ}

    def get(self, request: Request, thread_id: str, turn_id: str) -> Response:
        turn = Turn.objects.filter(pk=turn_id).first()
        if turn is None:
            raise Http404
        return Response({"content": turn.content})


def with_an_unknown_parameter(request: HttpRequest, invoice_number: Any) -> HttpResponse:
    return HttpResponse(status=404)


urlpatterns = [
    path("api/v1/leak/<str:thread_id>", to_anybody),
    path("api/v1/leak-to-keys", ToAnyKey.as_view()),
    path("api/v1/leak-existence/<str:thread_id>", TellsWhatExists.as_view()),
    path("api/v1/leak-late/<str:thread_id>", RefusesTooLate.as_view()),
    path("api/v1/leak/<str:thread_id>/turns/<str:turn_id>", LooksUpByTheLastIdAlone.as_view()),
    path("admin/chat/customer/emails/", admin.site.admin_view(to_all_staff), name="emails"),
    path("exports/<str:thread_id>.json", to_anybody),
    path("invoices/<str:invoice_number>", with_an_unknown_parameter),
    *product,
]
