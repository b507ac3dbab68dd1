"""What `make run` runs: Postgres, Valkey, the demo business, web, turns and jobs, together or not at all."""
