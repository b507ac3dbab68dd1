"""Runs management commands one after another in one process, which takes a start instead of one each.

`python -m tests.shipping.commands`: a line of JSON `{"database", "words", "settings"}` each, answered by
`{"status", "out", "err"}`; status 1 is a CommandError, whose text is then the end of `err`. It ends with its input.
"""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any


def main() -> None:
    import django

    django.setup()
    answers = sys.stdout
    for line in sys.stdin:
        answers.write(json.dumps(_run(**json.loads(line))) + "\n")
        answers.flush()


def _run(database: str, words: list[str], settings: dict[str, Any]) -> dict[str, Any]:
    from django.core.management import CommandError, call_command
    from django.db import connection
    from django.test import override_settings

    connection.close()
    connection.close_pool()
    connection.settings_dict["NAME"] = database
    out, err, status = io.StringIO(), io.StringIO(), 0
    with override_settings(**settings), redirect_stdout(out), redirect_stderr(err):
        try:
            call_command(*words, stdout=out, stderr=err)
        except CommandError as error:
            status = 1
            err.write(str(error))
    connection.close()
    connection.close_pool()
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    main()
