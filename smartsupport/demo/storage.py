"""The business's books: one SQLite file that outlives a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from . import generate

SCHEMA = Path(__file__).with_name("schema.sql")
FORMAT = "1"


class BooksUnusable(Exception):
    """The data folder cannot be used. The message is one sentence for the person who started the program."""


class Books:
    """The open database. One thread uses it, and every write happens inside `transaction()`."""

    def __init__(self, folder: Path, *, seed: int, today: date | None) -> None:
        """Open the books in `folder`, and fill them from `seed` if they are new.

        `today` is the day from which the generated dates count back; None means the real one. Books that
        exist keep what they hold, whatever the seed. Raises BooksUnusable.
        """
        self._today = today
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.db = sqlite3.connect(folder / "demo.sqlite3", isolation_level=None, timeout=10)
            self.db.row_factory = sqlite3.Row
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA synchronous = FULL")
            self.db.execute("PRAGMA foreign_keys = ON")
            self._open(seed)
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise BooksUnusable(f"The data folder {folder} cannot be used: {reason}.") from error
        self.seed = int(self.fact("seed"))
        self.resets = 0
        """How often it went back: a request that was held up meanwhile belongs to books that are gone."""

    def _open(self, seed: int) -> None:
        with self.transaction():
            if not self.db.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone():
                self._create_tables()
                self._fill(seed)
        if self.fact("format") != FORMAT:
            raise sqlite3.DatabaseError(
                "it was written by another version of the demo business; remove it to start afresh"
            )

    def _create_tables(self) -> None:
        # executescript() would commit the transaction that makes a half-filled file impossible.
        for statement in SCHEMA.read_text(encoding="utf-8").split(";"):
            if statement.strip():
                self.db.execute(statement)

    def _fill(self, seed: int) -> None:
        today = self._today or datetime.now(UTC).date()
        generate.everything(self.db, seed=seed, today=today)
        self.db.executemany(
            "INSERT INTO facts VALUES (?, ?)",
            [("format", FORMAT), ("seed", str(seed)), ("generated_for", today.isoformat())],
        )

    def fact(self, name: str) -> str:
        """One of `format`, `seed`, `generated_for`."""
        row = self.db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(row["value"])

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. The write lock is taken at once, so what is read inside cannot go stale."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A consistent view for reading; nothing can be written in it."""
        self.db.execute("PRAGMA query_only = ON")
        self.db.execute("BEGIN")
        try:
            yield self.db
        finally:
            self.db.execute("ROLLBACK")
            self.db.execute("PRAGMA query_only = OFF")

    def reset(self) -> None:
        """Back to what the seed gives; the journal and the remembered answers are emptied too."""
        with self.transaction():
            self.db.execute("PRAGMA defer_foreign_keys = ON")
            names = [
                row["name"] for row in self.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            for name in names:
                self.db.execute(f'DELETE FROM "{name}"')  # noqa: S608 - names of our own tables
            self._fill(self.seed)
        self.resets += 1

    def close(self) -> None:
        """Close the file. Everything that was answered is on disk already."""
        self.db.close()
