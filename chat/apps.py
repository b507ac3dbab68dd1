from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chat"
    verbose_name = "Conversations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from agents import approvals
        from chat import turns

        approvals.settled.connect(turns.on_settled, dispatch_uid="chat.turns.on_settled")
