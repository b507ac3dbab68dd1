"""Backups: one file of Postgres' own custom format, which says of itself what it is and which keys it needs.

Valkey is not in it: nothing there is the only copy of anything. Keys are not in it either: without SECRET_KEY and
SEALING_KEYS it gives away no stored secret.
"""
