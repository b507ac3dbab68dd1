"""What an import would become, to read and take away. Nothing that is exported is ever run by this product."""

from openapi_import.exports.agents_file import agents_yaml
from openapi_import.exports.chosen import module_file
from openapi_import.exports.mcp import mcp
from openapi_import.exports.python_module import python

__all__ = ["agents_yaml", "mcp", "module_file", "python"]
