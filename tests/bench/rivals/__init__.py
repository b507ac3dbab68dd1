"""What people would build or install instead, under the same load: `python -m tests.bench.rivals`."""
