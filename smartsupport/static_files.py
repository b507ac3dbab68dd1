"""How static files are stored in production."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleAwareStorage(CompressedManifestStaticFilesStorage):
    """Hashed names inside JavaScript modules too: a deployment never mixes old modules with new ones."""

    support_js_module_import_aggregation = True
    # One for each step of the longest chain of imports: five, the default, are too few for the chat page.
    max_post_process_passes = 50
