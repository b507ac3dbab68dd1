from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SmartSupportConfig(AppConfig):
    name = "smartsupport"
    verbose_name = "Smart Support"

    def ready(self) -> None:
        # So that a task sent from any process goes to our broker, not to the default application's.
        from smartsupport import celery, measuring  # noqa: F401
        from smartsupport.audit import changes, sign_ins
        from smartsupport.staff import make_roles, name_staff_and_roles

        name_staff_and_roles()
        measuring.connect()
        post_migrate.connect(make_roles, dispatch_uid="smartsupport.make_roles")
        changes.connect()
        sign_ins.connect()
