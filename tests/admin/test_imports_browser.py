"""Importing as people do it, in a real browser: paste a document, watch it being read, review, publish."""

import json
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from agents.models import Agent, Tool
from openapi_import import jobs
from openapi_import.models import Classification, ImportJob
from tests.admin.test_browser import PHONE, _in_a_thread, staff_browser, taken, wider, wired

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

INVOICE = {"name": "invoice_id", "in": "path", "required": True, "schema": {"type": "string"}}
DONE = {"200": {"description": "It"}}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Billing", "version": "1"},
    "servers": [{"url": "https://api.example.com"}],
    "paths": {
        "/invoices/{invoice_id}": {
            "parameters": [INVOICE],
            "get": {"operationId": "getInvoice", "summary": "Get an invoice", "responses": DONE},
            "delete": {"operationId": "deleteInvoice", "summary": "Delete an invoice", "responses": DONE},
        },
        "/invoices": {"get": {"operationId": "listInvoices", "summary": "List invoices", "responses": DONE}},
    },
}


def test_from_a_pasted_document_to_live_tools_on_a_phone(live_server: Any) -> None:
    with staff_browser(live_server, viewport=PHONE) as (page, faults):
        page.goto(reverse("admin:openapi_import_importjob_changelist"))
        page.get_by_role("link", name="Import an API").click()
        page.get_by_role("button", name="Read the document").click()
        expect(page.get_by_text("Give an address, choose a file")).to_be_visible()
        wired(page)
        file = page.locator('input[type="file"]')
        file.set_input_files({"name": "shop.yaml", "mimeType": "text/yaml", "buffer": b"openapi: 3.1.0"})
        expect(page.get_by_text("shop.yaml")).to_be_visible()
        file.set_input_files([])
        expect(page.get_by_text("Drop a file here, or choose one")).to_be_visible()
        page.get_by_label("Text", exact=True).fill(json.dumps(DOCUMENT))
        page.get_by_role("button", name="Read the document").click()

        expect(page.get_by_role("heading", name="Waiting to begin.")).to_be_visible()
        _in_a_thread(lambda: jobs.run(ImportJob.objects.get().pk))
        page.get_by_role("link", name="Review the operations").click(timeout=60_000)  # it came by itself
        page.wait_for_url("**/review/**")
        _review(page)
        assert wider(page) <= 0

        page.locator("#content-main").get_by_role("button", name="Publish").click()
        dialog = taken(page)
        expect(dialog).to_contain_text("Operations that become no tool")
        dialog.get_by_role("button", name="Publish").click()
        expect(page.get_by_text("Published. Tools: 2 added. New agents: billing.")).to_be_visible()
        expect(page.get_by_text("2 live")).to_be_visible()
        assert wider(page) <= 0
        assert faults == []

    deleting, reading = Tool.objects.order_by("name")
    assert (deleting.operation_id, deleting.access, deleting.approval) == (
        "deleteInvoice",
        "write",
        "customer",
    )
    assert (reading.operation_id, reading.access, reading.enabled) == ("getInvoice", "read", True)
    assert Agent.objects.get(name="billing").tools.count() == 2
    assert Classification.objects.get(operation_id="deleteInvoice").reviewed_by == "root"


def _review(page: Page) -> None:
    """Correct one operation, give two to an agent, leave one out."""
    told, bulk = page.locator("#review-told"), page.get_by_role("form", name="Change what is ticked")
    page.get_by_role("button", name="Edit DELETE /invoices/{invoice_id}").click()
    dialog = page.locator("#dialog")
    expect(dialog.get_by_label("In plain words")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Edit DELETE /invoices/{invoice_id}")).to_be_focused()
    page.keyboard.press("Enter")
    taken(page)
    dialog.get_by_label("Who approves").select_option("none")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("What writes needs an approver")
    taken(page)
    dialog.get_by_label("Who approves").select_option("customer")
    dialog.get_by_role("button", name="Save").click()
    expect(told).to_have_text("Saved: DELETE /invoices/{invoice_id}.")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Edit DELETE /invoices/{invoice_id}")).to_be_focused()

    page.get_by_role("checkbox", name="Tick all on this page").check()
    expect(bulk).to_contain_text("3 ticked")
    bulk.get_by_label("Agent").fill("billing")
    bulk.get_by_role("button", name="Change").click()
    expect(told).to_have_text("Changed 3 operations.")
    wired(page)
    page.get_by_role("checkbox", name="GET /invoices", exact=True).check()
    bulk.get_by_label("As a tool").select_option("no")
    bulk.get_by_role("button", name="Change").click()
    expect(page.get_by_role("heading", name="2 of 3 operations would be tools")).to_be_visible()
    expect(told).to_be_focused()  # from here on the keyboard is moved by nobody else

    page.get_by_role("button", name="Details of GET /invoices/{invoice_id}").press("Enter")
    page.get_by_text("The tool, as the model sees it").click()
    expect(page.locator(".console-json")).to_contain_text('"invoice_id"')
    page.get_by_role("link", name="Left out 1").click()
    expect(page.locator(".imports-row")).to_have_count(1)
    wired(page)
