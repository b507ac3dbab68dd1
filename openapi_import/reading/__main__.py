"""`python -m openapi_import.reading`: read one document from standard input, write lines to standard output."""

from openapi_import.reading.child import main

raise SystemExit(main())
