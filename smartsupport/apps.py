from django.apps import AppConfig


class SmartSupportConfig(AppConfig):
    name = "smartsupport"
    verbose_name = "Smart Support"

    def ready(self) -> None:
        # So that a task sent from any process goes to our broker, not to the default application's.
        from smartsupport import celery  # noqa: F401
