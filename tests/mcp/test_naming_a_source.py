"""Naming an MCP server as a source: over the API and in the console, with the rights that a document asks for."""

import json

import pytest
from django.test import Client

from agents.models import Risk
from openapi_import.exports import mcp
from openapi_import.exports.python_module import NoModule, python
from openapi_import.models import ImportJob, SourceKind, SpecSource
from tests import rows
from tests.openapi_import.review_rows import operation, ready

pytestmark = pytest.mark.django_db
IMPORT = "/api/v1/openapi/import"
NEW = "/admin/openapi_import/importjob/add/"
SERVER = "https://tools.example.com/mcp"


def post(client: Client, key: str, **body: object) -> tuple[int, dict[str, object]]:
    answer = client.post(IMPORT, body, content_type="application/json", headers={"X-API-Key": key})
    return answer.status_code, answer.json()


def test_an_integrator_names_a_server(client: Client) -> None:
    key = rows.key("imports:write")

    status, answer = post(client, key, mcp_url=SERVER, headers={"Authorization": "Bearer abc"})

    assert status == 202
    job = ImportJob.objects.get()
    assert (job.kind, job.spec_url) == (SourceKind.MCP, SERVER)
    assert (answer["data"]["kind"], answer["data"]["status"]) == ("mcp", "pending")
    assert "abc" not in job.fetch_secret
    for wrong in ({"url": "https://a.example/o.json"}, {"text": "openapi: 3.1.0"}):
        assert post(client, key, mcp_url=SERVER, **wrong)[0] == 422
    for address in ("", "ftp://tools.example.com", "http://", 7, "x" * 3_000):
        assert post(client, key, mcp_url=address)[0] == 422
    assert post(client, rows.key("imports:read", "tools:call", name="other"), mcp_url=SERVER)[0] == 403
    assert ImportJob.objects.count() == 1


def test_staff_name_a_server_and_read_it_again(client: Client) -> None:
    client.force_login(rows.staff("nina", "openapi_import.add_importjob", "openapi_import.view_importjob"))

    page = client.get(NEW).content.decode()
    assert "Address of an MCP server" in page
    both = client.post(NEW, {"mcp_url": SERVER, "url": "https://a.example/o.json"})
    assert "You gave an address and an MCP server. Keep one, and empty the other." in both.content.decode()
    assert "begins with https:// or http://" in client.post(NEW, {"mcp_url": "tools"}).content.decode()
    assert not ImportJob.objects.exists()
    done = client.post(NEW, {"mcp_url": SERVER, "sign_in": "bearer", "token": "abc"})
    job = ImportJob.objects.get()
    assert (done.status_code, job.kind, job.spec_url) == (302, "mcp", SERVER)
    assert f"MCP server {SERVER}" in client.get(done["Location"]).content.decode()
    ImportJob.objects.filter(pk=job.pk).update(status="done")
    finished = client.get(done["Location"]).content.decode()
    assert "MCP configuration" in finished
    assert "Python module" not in finished

    source = rows.source()
    SpecSource.objects.filter(pk=source.pk).update(kind="mcp", url=SERVER)
    again = client.get(f"{NEW}?source=shop").content.decode()
    assert f'name="mcp_url" value="{SERVER}"' in " ".join(again.split())


def test_what_is_exported_of_it_is_its_own_server() -> None:
    job = ready(operation("look", method="MCP", path="/look", risk=Risk.SAFE), spec_url=SERVER, kind="mcp")

    whole = json.loads(mcp(job))

    assert list(whole["mcpServers"].values()) == [{"type": "http", "url": SERVER}]
    assert [tool["name"] for tool in whole["tools"]] == ["look"]
    with pytest.raises(NoModule):
        python(job)
