"""Which documents have the text of an earlier one, known by digests on disk: memory does not grow with the corpus."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from albertkit.errors import CheckpointError

FILE_NAME = "seen.sqlite"
"""The file in a build's folder; removed when the corpus is finished."""


class DuplicateIndex:
    """Digests of documents, each with the number of the first document that has it.

    A document counts as a duplicate only of one with a smaller number. So a build that was cut off, and asks again for
    documents that it asked for before, gets the same answers.

    Every method raises CheckpointError where the database cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        """Open the index in a build's folder, or begin one there."""
        self._path = folder / FILE_NAME
        with self._explain_errors():
            self._database = sqlite3.connect(self._path)
            self._database.execute("PRAGMA cache_size = -65536")  # KiB
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS seen (digest BLOB PRIMARY KEY, first INTEGER) WITHOUT ROWID"
            )

    def is_duplicate(self, digest: bytes, number: int) -> bool:
        """Whether a document with a smaller number has this digest (16 bytes). If none has any, `number` is kept."""
        with self._explain_errors():
            fresh = self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (digest, number))
            if fresh.rowcount:
                return False
            first = self._database.execute("SELECT first FROM seen WHERE digest = ?", (digest,)).fetchone()
            return first[0] < number

    def forget_after(self, number: int) -> None:
        """Remove the documents with larger numbers: their files may have changed since they were read."""
        with self._explain_errors():
            self._database.execute("DELETE FROM seen WHERE first > ?", (number,))

    def commit(self) -> None:
        """Make what was added so far permanent."""
        with self._explain_errors():
            self._database.commit()

    def close(self) -> None:
        """Close the file, and leave it for a build that goes on. What was not committed is lost."""
        self._database.close()

    @contextlib.contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise CheckpointError(
                f"{self._path} must hold the digests of documents. Using it failed: {error}. Where the disk is full, "
                "make room and run the same command again; else begin anew with --overwrite."
            ) from error
