"""Every route of the site."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularSwaggerSplitView

from smartsupport import health
from smartsupport.api_document import DocumentView

handler400 = "smartsupport.refused.not_understood"
handler403 = "smartsupport.refused.page_refused"
handler404 = "smartsupport.refused.no_such_page"
handler500 = "smartsupport.refused.broken"

urlpatterns = [
    path("", include("chat.urls")),
    path("api/v1/health", health.api_health, name="api-health"),
    path("api/v1/schema/", DocumentView.as_view(), name="schema"),
    path("api/v1/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("api/v1/", include("chat.api.urls")),
    path("api/v1/", include("agents.api.urls")),
    path("api/v1/", include("openapi_import.api.urls")),
    path("api/v1/", include("replay.api")),
    path("api/v1/", include("analytics.api.urls")),
    path("admin/analytics/", include("analytics.console_urls")),
    path("api/v1/", include("smartsupport.audit.api")),
    path("", include("smartsupport.waiting")),
    path("", include("agents.links.urls")),
    path("admin/", admin.site.urls),
]
