from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chat"
    verbose_name = "Conversations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from agents import approvals
        from agents.spending import alerts
        from chat import turns, webhooks

        approvals.settled.connect(turns.on_settled, dispatch_uid="chat.turns.on_settled")
        alerts.budget_reached.connect(webhooks.budget_reached, dispatch_uid="chat.webhooks.budget_reached")
