class EmbeddedServerFailed(Exception):
    """A server from PyPI could not be started or stopped. The message is one sentence for whoever runs it."""
