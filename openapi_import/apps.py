from django.apps import AppConfig


class OpenapiImportConfig(AppConfig):
    name = "openapi_import"
    verbose_name = "API imports"
    default_auto_field = "django.db.models.BigAutoField"
