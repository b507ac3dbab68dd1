from django.urls import path

from openapi_import.api import job_views as jobs
from openapi_import.api import review_views as review

urlpatterns = [
    path("openapi/import", jobs.ImportView.as_view()),
    path("openapi/jobs", jobs.JobsView.as_view()),
    path("openapi/jobs/<str:job_id>", jobs.JobView.as_view()),
    path("openapi/jobs/<str:job_id>/cancel", jobs.CancelView.as_view()),
    path("openapi/jobs/<str:job_id>/retry", jobs.RetryView.as_view()),
    path("openapi/jobs/<str:job_id>/classifications", review.ClassificationsView.as_view()),
    path("openapi/jobs/<str:job_id>/classifications/<str:index>", review.ClassificationView.as_view()),
]
