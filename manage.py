#!/usr/bin/env python
"""Django's command line for this project."""

import sys


def main() -> None:
    from smartsupport import startup

    with startup.loading():
        startup.read_settings()
        import django
        from django.core.management import execute_from_command_line
        from django.db import OperationalError
        from psycopg import OperationalError as PostgresUnreachable
        from redis import ConnectionError as ValkeyUnreachable

        django.setup()
    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, PostgresUnreachable, ValkeyUnreachable):
        if sentence := startup.unusable_server():
            sys.exit(sentence)
        raise


if __name__ == "__main__":
    main()
