"""A model server that does as it is told: OpenAI's chat completions over HTTP, for tests and benchmarks.

`python -m tests.scripted_model --port 0` starts it; `tests.scripted_model.fixture` starts it for pytest.
"""
