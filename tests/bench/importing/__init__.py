"""How many operations of real documents become tools that work, judged from the outside: `make bench-import`."""
