"""Problem codes: what the source can refuse, the published document lists, and docs/api.md tells."""

from tests.api import codes


def test_every_code_of_the_source_is_one_of_an_operation() -> None:
    """One that no route answers belongs into NOT_OVER_REST; else put its class into `problems` of the view."""
    missing = {
        code: files for code, files in codes.of_the_source().items() if code not in codes.of_the_document()
    }

    assert missing == {}


def test_the_page_lists_them_all() -> None:
    """`python -m tests.api.codes` prints the table anew."""
    page = (codes.ROOT / "docs" / "api.md").read_text()

    assert codes.table() in page
