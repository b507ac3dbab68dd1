"""A business to try Smart Support on: a shop, a software subscription and a bank behind one HTTP API.

It is a program of its own (`python -m smartsupport.demo`). It shares no code, no database and no settings
with the product: everything the product knows about it comes from its OpenAPI document, and everything the
product does to it travels over HTTP.
"""
