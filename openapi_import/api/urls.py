from django.urls import path

from openapi_import.api import job_views as jobs
from openapi_import.api import review_views as review
from openapi_import.api import source_views as sources

urlpatterns = [
    path("openapi/import", jobs.ImportView.as_view()),
    path("openapi/jobs", jobs.JobsView.as_view()),
    path("openapi/jobs/<str:job_id>", jobs.JobView.as_view()),
    path("openapi/jobs/<str:job_id>/cancel", jobs.CancelView.as_view()),
    path("openapi/jobs/<str:job_id>/retry", jobs.RetryView.as_view()),
    path("openapi/jobs/<str:job_id>/classifications", review.ClassificationsView.as_view()),
    path("openapi/jobs/<str:job_id>/classifications/<str:index>", review.ClassificationView.as_view()),
    path("openapi/jobs/<str:job_id>/approve", review.ApproveView.as_view()),
    path("openapi/jobs/<str:job_id>/compare", review.CompareView.as_view()),
    path("openapi/jobs/<str:job_id>/export", review.ExportView.as_view()),
    path("openapi/sources", sources.SourcesView.as_view()),
    path("openapi/sources/<str:source_name>", sources.SourceView.as_view()),
    path("openapi/sources/<str:source_name>/pause", sources.PauseView.as_view()),
    path("openapi/sources/<str:source_name>/resume", sources.ResumeView.as_view()),
    path("openapi/sources/<str:source_name>/publications", sources.PublicationsView.as_view()),
    path("openapi/publications/<str:publication_id>", sources.PublicationView.as_view()),
    path("openapi/publications/<str:publication_id>/roll-back", sources.RollBackView.as_view()),
]
