"""Which documents were seen before, known by a digest on disk: memory does not grow with the corpus."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from albertkit.errors import CheckpointError

NAME = "seen.sqlite"


class Seen:
    """Digests of documents, each with the number of the first document that has it.

    Because a document is a duplicate only of one with a smaller number, asking again after a cut-off gives the answers
    of the first time.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        with self._explained():
            self._base = sqlite3.connect(self._path)
            self._base.execute("PRAGMA cache_size = -65536")  # KiB
            self._base.execute("CREATE TABLE IF NOT EXISTS seen (digest BLOB PRIMARY KEY, first INTEGER) WITHOUT ROWID")

    def before(self, digest: bytes, number: int) -> bool:
        """Whether a document with a smaller number has this digest (16 bytes)."""
        with self._explained():
            fresh = self._base.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (digest, number))
            if fresh.rowcount:
                return False
            first = self._base.execute("SELECT first FROM seen WHERE digest = ?", (digest,)).fetchone()
            return first[0] < number

    def forget(self, number: int) -> None:
        """Take back the documents with larger numbers: what stands in their place now may be others."""
        with self._explained():
            self._base.execute("DELETE FROM seen WHERE first > ?", (number,))

    def commit(self) -> None:
        """Keep what was seen so far, whatever happens next."""
        with self._explained():
            self._base.commit()

    def close(self) -> None:
        """Close the file, and leave it for a build that goes on."""
        self._base.close()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise CheckpointError(
                f"{self._path} must hold the digests of documents. Using it failed: {error}. Where the disk is full, "
                "make room and run the same command again; else begin anew with --overwrite."
            ) from error
