"""Which answers name what other operations are about (OpenAPI's `links`): a reader goes on from there, and so do the
programs that try the API out."""

from typing import Any

NAMED = {
    "conversations_list": ("thread_id", "/data/conversations/0/thread_id"),
    "interrupts_list": ("interrupt_id", "/data/interrupts/0/interrupt_id"),
    "agents_list": ("name", "/data/agents/0/name"),
    "openapi_import": ("job_id", "/data/job_id"),
    "openapi_jobs_list": ("job_id", "/data/jobs/0/job_id"),
    "openapi_sources_list": ("source_name", "/data/sources/0/name"),
    "openapi_publications_list": ("publication_id", "/data/publications/0/publication_id"),
    "usage_list": ("customer", "/data/customers/0/id"),
    "keys_create": ("key_id", "/data/id"),
    "webhooks_create": ("webhook_id", "/data/id"),
    "webhooks_list": ("webhook_id", "/data/webhooks/0/id"),
    "webhook_deliveries_list": ("delivery_id", "/data/deliveries/0/id"),
}
"""{operation: (parameter of the address that its answer names, where it is in the answer)}."""


def add_links(paths: dict[str, Any]) -> None:
    """Every operation whose address has just this parameter follows from the operation that names it."""
    for path, operation in _operations(paths):
        named = NAMED.get(operation["operationId"])
        if named is None:
            continue
        parameter, pointer = named
        links = {
            _title(other["operationId"]): {
                "operationId": other["operationId"],
                "parameters": {parameter: f"$response.body#{pointer}"},
            }
            for other_path, other in _operations(paths)
            if _parameters(other_path) == [parameter] and other_path != path
        }
        for code, response in operation["responses"].items():
            if code.startswith("2"):
                response["links"] = links
    classified = paths.get("/api/v1/openapi/jobs/{job_id}/classifications", {}).get("get")
    if classified is not None:
        parameters = {
            "job_id": "$request.path.job_id",
            "index": "$response.body#/data/classifications/0/index",
        }
        classified["responses"]["200"]["links"] = {
            _title(name): {"operationId": name, "parameters": parameters}
            for name in ("openapi_classifications_get", "openapi_classifications_edit")
        }


def _operations(paths: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (path, operation)
        for path, methods in paths.items()
        for operation in methods.values()
        if isinstance(operation, dict) and "operationId" in operation
    ]


def _parameters(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _title(operation_id: str) -> str:
    return "".join(word.capitalize() for word in operation_id.split("_"))
