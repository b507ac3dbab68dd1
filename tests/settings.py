"""The project's settings for the tests: on the run's own servers, with a password hash that takes no time."""

from tests import servers

servers.provide()

from smartsupport.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = [*INSTALLED_APPS, "tests.emptying"]  # noqa: F405
