"""The same desk for `langgraph dev`, which brings its own store (in memory, written to a file now and then)."""

from desk import desk

graph = desk().compile()
