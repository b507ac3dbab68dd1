"""`manage.py verify_audit`: is the audit as it was written?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from smartsupport.audit import chain


class Command(BaseCommand):
    help = (
        "Walk the audit's chain of hashes. Says which entry is the first that was changed, removed or moved, and exits "
        "with 1; otherwise prints the anchor, the newest entry's number and hash, to be noted somewhere else."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anchor",
            action="append",
            default=[],
            metavar="NUMBER:HASH",
            help="an anchor that was noted before; may be given more than once",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        anchors = dict(_anchor(text) for text in options["anchor"])
        verdict = chain.verify(anchors, told=lambda count: self.stderr.write(f"{count} entries so far"))
        if verdict.broken_at is not None:
            raise CommandError(
                f"The audit is broken at entry {verdict.broken_at}: {verdict.reason} "
                f"The {verdict.count} before it are as they were written."
            )
        self.stdout.write(f"{verdict.count} entries, all as they were written.")
        self.stdout.write(f"Anchor: {verdict.count}:{verdict.last_hash}")


def _anchor(text: str) -> tuple[int, str]:
    number, _, noted = text.strip().partition(":")
    is_hash = len(noted) == 64 and all(sign in "0123456789abcdef" for sign in noted)
    if not (number.isascii() and number.isdigit() and (is_hash or number == "0")):
        raise CommandError(f"{text!r} is no anchor. One looks like 1234:3f5a..., as this command prints it.")
    return int(number), noted
