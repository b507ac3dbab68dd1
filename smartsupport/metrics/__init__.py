"""Numbers for Prometheus (docs/observability.md): what this process did (`counting`, `listening`), and what the whole
deployment has before it (`waiting`). Off unless METRICS_PORT or METRICS_TOKEN is set."""
