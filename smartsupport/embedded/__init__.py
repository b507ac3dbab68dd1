"""Postgres and Valkey from PyPI, started beside the program that needs them and never outliving it."""
