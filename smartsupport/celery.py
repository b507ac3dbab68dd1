"""The Celery application: `celery -A smartsupport worker` and `beat`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartsupport.settings")

app = Celery("smartsupport")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
