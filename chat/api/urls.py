from django.urls import path

from chat.api import (
    desk_views,
    feedback_views,
    key_views,
    stream_views,
    usage_views,
    views,
    webhook_delivery_views,
    webhook_views,
)
from chat.api import schema as schema  # registers how the credentials are documented

urlpatterns = [
    path("conversations", views.ConversationsView.as_view()),
    path("conversations/<str:thread_id>", views.ConversationView.as_view()),
    path("conversations/<str:thread_id>/events", views.EventsView.as_view()),
    path("conversations/<str:thread_id>/stream", stream_views.StreamView.as_view()),
    path("conversations/<str:thread_id>/history", views.HistoryView.as_view()),
    path("conversations/<str:thread_id>/messages", views.MessagesView.as_view()),
    path("conversations/<str:thread_id>/staff-messages", views.StaffMessagesView.as_view()),
    path("conversations/<str:thread_id>/notes", desk_views.NotesView.as_view()),
    path("conversations/<str:thread_id>/tags", desk_views.TagsView.as_view()),
    path("conversations/<str:thread_id>/escalate", desk_views.EscalateView.as_view()),
    path("conversations/<str:thread_id>/resolve", views.ResolveView.as_view()),
    path("conversations/<str:thread_id>/feedback", feedback_views.FeedbackView.as_view()),
    path("conversations/<str:thread_id>/turns/<str:turn_id>", views.TurnView.as_view()),
    path("conversations/<str:thread_id>/stop", views.StopView.as_view()),
    path("conversations/<str:thread_id>/retry", views.RetryView.as_view()),
    path("conversations/<str:thread_id>/takeover", views.TakeOverView.as_view()),
    path("conversations/<str:thread_id>/handback", views.HandBackView.as_view()),
    path("keys", key_views.KeysView.as_view()),
    path("keys/<str:key_id>", key_views.KeyView.as_view()),
    path("keys/<str:key_id>/rotate", key_views.RotateView.as_view()),
    path("webhooks", webhook_views.WebhooksView.as_view()),
    path("webhooks/<str:webhook_id>", webhook_views.WebhookView.as_view()),
    path("webhooks/<str:webhook_id>/test", webhook_views.TestView.as_view()),
    path("webhooks/<str:webhook_id>/rotate", webhook_views.RotateView.as_view()),
    path("webhooks/<str:webhook_id>/pause", webhook_views.PauseView.as_view()),
    path("webhooks/<str:webhook_id>/resume", webhook_views.ResumeView.as_view()),
    path("webhooks/<str:webhook_id>/redeliver", webhook_views.RedeliverView.as_view()),
    path("webhook-deliveries", webhook_delivery_views.DeliveriesView.as_view()),
    path("webhook-deliveries/<str:delivery_id>", webhook_delivery_views.DeliveryView.as_view()),
    path(
        "webhook-deliveries/<str:delivery_id>/redeliver", webhook_delivery_views.DeliveryAgainView.as_view()
    ),
    path("usage", usage_views.UsageView.as_view()),
    path("usage/<path:customer>", usage_views.CustomerUsageView.as_view()),
    path("budgets/grants", usage_views.GrantsView.as_view()),
    path("budgets/resets", usage_views.ResetsView.as_view()),
    path("budgets/exemptions", usage_views.ExemptionsView.as_view()),
]
