from django.urls import path

from analytics import console, home

urlpatterns = [
    path("", console.page, name="analytics"),
    path("conversations/", console.conversations, name="analytics-conversations"),
    path("home/", home.live_page, name="home-live"),
]
