from django.urls import path

from analytics.api import views

urlpatterns = [
    path("analytics", views.AnalyticsView.as_view()),
    path("analytics/export", views.ExportView.as_view(), name="analytics-export"),
]
