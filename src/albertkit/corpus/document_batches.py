"""Documents to batches that are encoded together, cut by their place in the inputs alone.

However many processes encode them, and wherever reading begins again, the batches are the same.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from albertkit.corpus.chunks import DocumentChunk
from albertkit.corpus.duplicates import DuplicateIndex
from albertkit.corpus.layout import Counts, ShardRecord, zero_counts
from albertkit.corpus.reader import DocumentReader, ReaderOptions

BATCH_CHARS = 2**20
"""Characters after which a batch ends with its document."""


@dataclass
class DocumentBatch:
    """Texts that are encoded together, and how far reading was behind them."""

    texts: list[str] = field(default_factory=list)
    """Whole documents, or a single chunk of one that comes in several."""
    ends_document: bool = True
    """Whether the last text is the end of its document."""
    is_duplicate: bool = False
    """Whether this ends a document of several chunks that turned out to be a duplicate: its chunks are taken back."""
    position: tuple[int, int] = (0, 0)
    """The number of the file, and how many documents of it were read."""
    counts: Counts = field(default_factory=zero_counts)
    """Of all that was read, from the first input on."""
    bytes_done: int = 0
    """Bytes of all files that were read, as they lie on disk."""


class DocumentBatches:
    """Iterates over the batches of files in order, or over those behind a shard that is finished. Once only."""

    def __init__(
        self,
        files: Sequence[Path],
        options: ReaderOptions,
        index: DuplicateIndex | None,
        resume_after: ShardRecord | None = None,
    ) -> None:
        """With `index`, documents whose text was there before are left out, whatever space is around it.

        `resume_after` is the record of the last shard that an earlier run finished.
        """
        self._files, self._options, self._index = files, options, index
        self._position, self._bytes_done = (0, 0), 0
        self.counts = zero_counts()
        """Of all that was read so far."""
        if resume_after:
            file, documents = resume_after["position"]
            self._position, self.counts = (file, documents), Counts(**resume_after["counts"])
            if index:
                index.forget_after(self._document_number())
        self._digest = hashlib.blake2b(digest_size=16)

    def __iter__(self) -> Iterator[DocumentBatch]:
        """The batches. InputError where a file is broken, CheckpointError where the index is."""
        batch, size, is_continued = DocumentBatch(), 0, False
        for chunk in self._chunks():
            is_repeated = self._count(chunk)
            is_whole = chunk.is_last and not is_continued
            is_continued = not chunk.is_last
            if not is_whole and batch.texts:  # a chunk of a document is a batch of its own
                yield batch
                batch, size = DocumentBatch(), 0
            if not (is_whole and is_repeated):
                batch.texts.append(chunk.text)
                size += len(chunk.text)
            batch.ends_document, batch.is_duplicate = chunk.is_last, is_repeated and not is_whole
            batch.position, batch.counts, batch.bytes_done = self._position, self.counts.copy(), self._bytes_done
            if size >= BATCH_CHARS or not is_whole:
                yield batch
                batch, size = DocumentBatch(), 0
        if batch.texts:
            yield batch

    def _count(self, chunk: DocumentChunk) -> bool:
        """Add a chunk to the counts. Returns whether it ends a document that is a duplicate."""
        self.counts["text_bytes"] += len(chunk.text.encode())
        self.counts["documents_read"] += chunk.is_last
        if not self._index:
            return False
        # Without the line end that a text has or lacks by its format and its place in a file.
        self._digest.update(chunk.text.strip().encode())
        if not chunk.is_last:
            return False
        is_repeated = self._index.is_duplicate(self._digest.digest(), self._document_number())
        self.counts["duplicates"] += is_repeated
        self._digest = hashlib.blake2b(digest_size=16)
        return is_repeated

    def _document_number(self) -> int:
        """Of the document that was read last, in the order of all: files have fewer than 2^40 documents."""
        file, documents = self._position
        return (file << 40) + documents

    def _chunks(self) -> Iterator[DocumentChunk]:
        """The documents behind the position; keeps this, and the count of broken records, as reading goes on."""
        first, skipped = self._position
        bytes_before = sum(path.stat().st_size for path in self._files[:first])
        for number, path in enumerate(self._files[first:], start=first):
            reader = DocumentReader(path, self._options)
            documents = broken = 0
            for chunk in reader:
                documents += chunk.is_last
                if number > first or documents > skipped or (documents == skipped and not chunk.is_last):
                    self.counts["broken_records"] += reader.broken - broken
                    self._position, self._bytes_done = (number, documents), bytes_before + reader.position
                    yield chunk
                broken = reader.broken
            self.counts["broken_records"] += reader.broken - broken
            bytes_before += path.stat().st_size
