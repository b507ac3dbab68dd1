from django.urls import path

from analytics import console

urlpatterns = [
    path("", console.page, name="analytics"),
    path("conversations/", console.conversations, name="analytics-conversations"),
]
