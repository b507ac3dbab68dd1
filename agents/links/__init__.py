"""Deciding on an approval from a link, outside of the console."""
