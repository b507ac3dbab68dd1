from django.apps import AppConfig


class SmartSupportConfig(AppConfig):
    name = "smartsupport"
    verbose_name = "Smart Support"
