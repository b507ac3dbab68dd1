from django.urls import path

from agents.links import pages

urlpatterns = [path("decide/<str:token>", pages.approval, name="approval-link")]
