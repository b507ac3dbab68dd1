"""From the bytes of a document to live tools: `python -m tests.bench.importing.publishing FILE ...`.

Each on an empty database of its own servers, as a worker of the jobs does it, then published by a person who changes
nothing. Prints seconds in all and of each part, and the peak memory of both processes.
"""

import os
import resource
import secrets
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

from smartsupport.embedded import servers


def main(paths: list[Path]) -> int:
    folder = Path(tempfile.mkdtemp(prefix="publishing-"))
    folder.chmod(0o711)
    with servers.running(folder) as started:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="smartsupport.settings",
            DEBUG="true",
            DATA_DIR=str(folder),
            DATABASE_URL=started.database_url,
            REDIS_URL=started.redis_url,
            SECRET_KEY=secrets.token_urlsafe(40),
            LOG_LEVEL="WARNING",
            IMPORT_MAX_BYTES=str(100 * 1024 * 1024),
        )
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        for path in paths:
            one(path)  # the first of a process pays for imports and connections
            print(f"{path.name}: {worded(one(path))}", flush=True)
    return 0


def one(path: Path) -> dict[str, Any]:
    from agents.approvals import Decider
    from agents.models import Agent, AgentTool, Tool
    from openapi_import import jobs, publish, reader
    from openapi_import.models import ImportJob, SpecSource

    content = path.read_bytes()
    started = time.perf_counter()
    lines = reader.read(
        content, filename=path.name, base_url="https://documents.example/", fetch=_nowhere, stop=lambda: False
    )
    last = deque(lines, maxlen=1)[0]  # it says how much memory it took
    reading = time.perf_counter() - started
    started = time.perf_counter()
    job = jobs.submit(by="bench", content=content, filename=path.name, base_url="https://documents.example/")
    jobs.run(job.pk)
    rows = time.perf_counter() - started
    job.refresh_from_db()
    if job.status != "done":
        raise SystemExit(f"{path.name}: {job.status}: {job.error_message}")
    published = publish.publish(job.pk, Decider(kind="staff", name="bench", id="user:1"))
    whole = time.perf_counter() - started
    result = {
        "tools": len(published.changes),
        "whole": whole,
        "reading": reading,
        "rows": rows,
        "publish": whole - rows,
        "child_mib": last.get("peak_kib", 0) / 1024,
        "own_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    AgentTool.objects.all().delete()
    Agent.objects.all().delete()
    Tool.objects.all().delete()
    ImportJob.objects.all().delete()
    SpecSource.objects.all().delete()
    return result


def worded(result: dict[str, Any]) -> str:
    return (
        f"{result['tools']} tools in {result['whole']:.2f} s (reading alone {result['reading']:.2f} s; to rows "
        f"{result['rows']:.2f} s, publishing {result['publish']:.2f} s); peak {result['child_mib']:.0f} MiB reading, "
        f"{result['own_mib']:.0f} MiB in the worker"
    )


def _nowhere(url: str) -> bytes:
    raise FileNotFoundError(url)


if __name__ == "__main__":
    sys.exit(main([Path(name) for name in sys.argv[1:]]))
