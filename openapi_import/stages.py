"""The stages of an import, one after the other, in the worker that holds the job: fetching, validating and parsing
(in a process of its own, see `openapi_import.reader`), classifying.

A stage writes only through `Held`, and may be run again from its beginning by another worker.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from openapi_import import difference, reader
from openapi_import.errors import SpecInvalid
from openapi_import.getting import Getter
from openapi_import.holding import Held, LeaseLost, forget_rows
from openapi_import.models import Classification, ImportJob, ImportStatus, SourceKind
from openapi_import.rows import Rows
from openapi_import.storable import storable
from openapi_import.submissions import free_name, known_source
from smartsupport.lib.errors import ServiceError
from smartsupport.lib.sealing import unseal
from smartsupport.lib.text import readable

FAULTS_KEPT = 1_000
LISTED_KEPT = 1_000
READING = {"validating": ImportStatus.VALIDATING, "parsing": ImportStatus.PARSING}


def carry_out(held: Held) -> None:
    """Do all that is left to do of the job. Raises LeaseLost or Stopped when it is not ours any more, and what
    `failure` has words for."""
    job = ImportJob.objects.select_related("source").get(pk=held.job_id)
    held.stage = job.status
    if job.status != ImportStatus.CLASSIFYING:
        getter = _getter(held, job)
        if job.content is None:
            _fetch(held, job, getter)
        _Reading(held, job, getter).run()
    _classify(held, job)


def failure(error: Exception) -> tuple[str, str] | None:
    """(message, pointer) for people, of an error that has words of its own; None for any other."""
    if not isinstance(error, ServiceError):
        return None
    return error.message, str(getattr(error, "pointer", "") or error.extra.get("pointer", ""))


def _getter(held: Held, job: ImportJob) -> Getter:
    headers = unseal(job.fetch_secret) if job.fetch_secret else {}
    return Getter(home=job.spec_url or job.base_url, headers=headers, stop=held.stop)


def _fetch(held: Held, job: ImportJob, getter: Getter) -> None:
    """Get the document and keep it; where the server says that it is the one that we have, that one."""
    held.enter(ImportStatus.FETCHING)
    if job.kind == SourceKind.MCP:
        _list(held, job)
        return
    earlier = (
        ImportJob.objects.filter(spec_url=job.spec_url, content__isnull=False, source=job.source)
        .exclude(etag="")
        .exclude(pk=job.pk)
        .order_by("-created_at")
        .first()
        if job.source
        else None
    )
    got = getter.document(job.spec_url, etag=earlier.etag if earlier else "")
    if got.same and earlier is not None:
        got = replace(got, content=bytes(earlier.content or b""), content_type=earlier.content_type)
    job.content, job.content_type, job.base_url = got.content, storable(got.content_type), got.url[:2000]
    held.write(
        content=job.content,
        content_type=job.content_type,
        base_url=job.base_url,
        etag=storable(got.etag),
        stage_done=len(got.content),
        stage_total=len(got.content),
    )


def _list(held: Held, job: ImportJob) -> None:
    """Ask an MCP server for its tools, and keep the document that is made of them."""
    from openapi_import.mcp_sources import document, listing  # the SDK: half a second for whoever has none

    headers = unseal(job.fetch_secret) if job.fetch_secret else {}
    found = listing.listing(job.spec_url, headers, held.stop)
    job.content = document.document(found, job.spec_url, headers)
    job.content_type, job.base_url = "application/json", job.spec_url
    size = len(job.content)
    held.write(
        content=job.content,
        content_type=job.content_type,
        base_url=job.base_url,
        stage_done=size,
        stage_total=size,
    )


class _Reading:
    """One reading of a job's document by the child process: its lines become rows and fields of the job."""

    def __init__(self, held: Held, job: ImportJob, getter: Getter) -> None:
        self._held = held
        self._job = job
        self._getter = getter
        self._rows = Rows(held, job.pk)
        self._faults: list[dict[str, Any]] = []
        if job.kind == SourceKind.MCP:
            self._take_claims(bytes(job.content or b""))
        self._faults_total = len(self._faults)
        self._listed: list[dict[str, Any]] = []

    def _take_claims(self, content: bytes) -> None:
        """What an MCP server says of its tools beside what a document can say."""
        from openapi_import.mcp_sources import document

        self._rows.opinions = document.opinions(content)
        self._faults = storable(document.faults(content))[:FAULTS_KEPT]

    def run(self) -> None:
        """Read it to the end. Raises SpecInvalid where the document as a whole cannot be used."""
        with self._held.writing():
            forget_rows([self._job.pk])
        self._held.enter(ImportStatus.VALIDATING)
        for line in self._lines():
            self._take(line)
        if self._held.stop():
            raise LeaseLost()
        self._finish()

    def _lines(self) -> Iterator[dict[str, Any]]:
        job = self._job
        return reader.read(
            bytes(job.content or b""),
            content_type=job.content_type,
            filename=job.filename,
            base_url=job.base_url,
            strict=job.strict,
            fetch=self._getter.reference,
            stop=self._held.stop,
        )

    def _take(self, line: dict[str, Any]) -> None:
        match line["kind"]:
            case "operation":
                self._rows.add(line)
            case "stage":
                self._stage(line)
            case "fault":
                self._fault(line)
            case "listed" if len(self._listed) < LISTED_KEPT:
                self._listed.append(storable(line["item"]))
            case "header":
                self._header(line)
            case "failed":
                raise SpecInvalid(storable(line["message"]), pointer=storable(line.get("pointer", "")))

    def _stage(self, line: dict[str, Any]) -> None:
        stage = READING[line["stage"]]
        if self._held.stage != stage:
            self._held.enter(stage, total=line["total"])
        self._held.progress(line["done"], line["total"])

    def _fault(self, line: dict[str, Any]) -> None:
        self._faults_total += 1
        if len(self._faults) < FAULTS_KEPT:
            fault = {name: value for name, value in line.items() if name != "kind"}
            self._faults.append(storable(fault))

    def _header(self, line: dict[str, Any]) -> None:
        job = self._job
        job.title = readable(storable(line["title"]))[:200]
        job.document_hash = line["document_hash"]
        job.name = job.name or free_name(job.title)
        job.source = job.source or known_source(name=job.name, url="", kind=job.kind)
        self._held.write(
            name=job.name,
            source=job.source,
            title=job.title,
            version=readable(storable(line["version"]))[:100],
            dialect="MCP" if job.kind == SourceKind.MCP else str(line["dialect"])[:20],
            document_hash=job.document_hash,
            unchanged=job.source is not None and job.source.document_hash == job.document_hash,
            total_endpoints=line["total"],
            security_schemes=storable(line["security_schemes"]),
        )

    def _finish(self) -> None:
        self._rows.flush()
        if not self._rows.total:
            raise SpecInvalid("The document describes no operations, so there is nothing to make tools of.")
        self._held.write(
            total_endpoints=self._rows.total,
            usable_count=self._rows.usable,
            faults=self._faults,
            faults_total=self._faults_total,
            listed=self._listed,
            documents=self._getter.documents,
        )


def _classify(held: Held, job: ImportJob) -> None:
    """The rules have judged each operation as it was read. Now the model, where it is asked, and what is published."""
    rows = Classification.objects.filter(job=job).count()
    held.enter(ImportStatus.CLASSIFYING, total=rows)
    if job.ask_model:
        from openapi_import import (
            judged_rows,
        )  # the models' libraries: a second and 60 MB for whoever asks none

        judged_rows.ask_model(held, job.pk)

    def writing(done: int) -> AbstractContextManager[None]:
        held.note(done, rows)
        return held.writing()

    difference.compare(job, writing=writing)
    held.end(ImportStatus.DONE, stage_done=rows)
