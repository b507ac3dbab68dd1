"""From the bytes of a document to tools, as plain data: no Django, no network, no files.

It runs in a process of its own under a memory limit (`openapi_import.reader`), so what a hostile document does to it
ends there.
"""
