"""Documents to units: texts that are encoded together, cut by their place in the inputs alone.

However many processes encode them, and wherever reading begins again, the units are the same.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from albertkit.corpus.documents import Options, Part, Reader
from albertkit.corpus.duplicates import Seen

UNIT = 2**20
"""Characters after which a unit ends with its document."""

COUNTS = ("documents_read", "duplicates", "broken_records", "text_bytes")


@dataclass
class Unit:
    """Some texts, and how far reading was behind them."""

    texts: list[str] = field(default_factory=list)
    """Whole documents, or a part of one that comes in several."""
    ended: bool = True
    """Whether the last text is the end of its document."""
    dropped: bool = False
    """Whether that document, which came in several parts, turned out to be a duplicate."""
    position: tuple[int, int] = (0, 0)
    """The file, and how many documents of it were read."""
    counts: dict[str, int] = field(default_factory=dict)
    """COUNTS, of all that was read."""
    bytes_done: int = 0
    """Of all files, as they lie on disk."""


class Units:
    """The units of files in order, or those behind a shard that is finished."""

    def __init__(
        self, files: Sequence[Path], options: Options, seen: Seen | None, behind: Mapping[str, Any] | None = None
    ) -> None:
        """With `seen`, documents whose text was there before are left out, whatever space is around it.

        `behind` is the record of the last shard.
        """
        self._files, self._options, self._seen = files, options, seen
        self._position: tuple[int, int] = tuple(behind["position"]) if behind else (0, 0)
        self._bytes_done = 0
        self.counts: dict[str, int] = dict(behind["counts"]) if behind else dict.fromkeys(COUNTS, 0)
        """COUNTS, of all that was read so far."""
        if seen and behind:
            seen.forget(self._number())

    def __iter__(self) -> Iterator[Unit]:
        unit, size, begun = Unit(), 0, False
        digest = hashlib.blake2b(digest_size=16)
        for part in self._parts():
            self.counts["text_bytes"] += len(part.text.encode())
            self.counts["documents_read"] += part.last
            repeated = False
            if self._seen:
                # Without the line end that a text has or lacks by its format and its place in a file.
                digest.update(part.text.strip().encode())
                if part.last:
                    repeated = self._seen.before(digest.digest(), self._number())
                    self.counts["duplicates"] += repeated
                    digest = hashlib.blake2b(digest_size=16)
            whole = part.last and not begun
            begun = not part.last
            if not whole and unit.texts:  # a part of a document is a unit of its own
                yield unit
                unit, size = Unit(), 0
            if not (whole and repeated):
                unit.texts.append(part.text)
                size += len(part.text)
            unit.ended, unit.dropped = part.last, repeated and not whole
            unit.position, unit.counts, unit.bytes_done = self._position, dict(self.counts), self._bytes_done
            if size >= UNIT or not whole:
                yield unit
                unit, size = Unit(), 0
        if unit.texts:
            yield unit

    def _number(self) -> int:
        """Of the document that was read last, in the order of all."""
        file, documents = self._position
        return (file << 40) + documents

    def _parts(self) -> Iterator[Part]:
        """The documents behind the position; keeps this, and the count of broken records, as reading goes on."""
        first, skipped = self._position
        before = sum(path.stat().st_size for path in self._files[:first])
        for number, path in enumerate(self._files[first:], start=first):
            reader = Reader(path, self._options)
            documents = broken = 0
            for part in reader:
                documents += part.last
                if number > first or documents > skipped or (documents == skipped and not part.last):
                    self.counts["broken_records"] += reader.broken - broken
                    self._position, self._bytes_done = (number, documents), before + reader.position
                    yield part
                broken = reader.broken
            self.counts["broken_records"] += reader.broken - broken
            before += path.stat().st_size
