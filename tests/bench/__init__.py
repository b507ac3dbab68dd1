"""Benchmarks of the whole stack over real sockets, with an instant model. See docs/benchmarks.md."""
