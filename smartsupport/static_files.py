"""How static files are stored in production."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleAwareStorage(CompressedManifestStaticFilesStorage):
    """Hashed names inside JavaScript modules too: without it, a deployment can briefly mix old modules with new ones."""

    support_js_module_import_aggregation = True
