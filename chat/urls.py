from django.urls import path

from chat import views, widget

urlpatterns = [
    path("", views.page, name="chat"),
    path("widget.js", widget.script, name="widget"),
    path("embed", widget.frame, name="widget-frame"),
    path("embed/visitor", widget.visitor, name="widget-visitor"),
]
