"""A year of made-up conversations, as many as a big customer has, to measure with. See `manage.py make_dataset`."""
