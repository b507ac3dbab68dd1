from django.urls import path

from agents.api import shape_views, views
from agents.links import api as links

urlpatterns = [
    path("interrupts", views.InterruptsView.as_view()),
    path("interrupts/<str:interrupt_id>", views.InterruptView.as_view()),
    path("interrupts/<str:interrupt_id>/decision", views.DecisionView.as_view()),
    path("interrupts/<str:interrupt_id>/settlement", views.SettlementView.as_view()),
    path("interrupts/<str:interrupt_id>/agent-inbox", shape_views.AgentInboxView.as_view()),
    path("interrupts/<str:interrupt_id>/hitl", shape_views.HitlView.as_view()),
    path("interrupts/<str:interrupt_id>/links", links.LinksView.as_view()),
    path("interrupts/<str:interrupt_id>/links/<str:link_id>", links.LinkView.as_view()),
    path("interrupts/<str:interrupt_id>/repeat", views.RepeatView.as_view()),
    path("agents", views.AgentsView.as_view()),
    path("agents/import", views.AgentsImportView.as_view()),
    path("agents/export", views.AgentsExportView.as_view()),
    path("agents/<str:name>", views.AgentView.as_view()),
]
