"""Documents in chunks of bounded size, so that one of any length passes through memory."""

from collections.abc import Iterator
from typing import NamedTuple

CHUNK_CHARS = 2**20
"""Characters after which a document goes on in another chunk. A chunk of lines may be longer by its last line."""


class DocumentChunk(NamedTuple):
    """A document, or one of the consecutive chunks of one."""

    text: str
    is_last: bool
    """Whether the document ends with this chunk."""


class ChunkBuffer:
    """Lines that are gathered to documents.

    A chunk that is full is held back until the next line comes, for only then is it known not to be the last one.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0

    def add(self, line: str) -> Iterator[DocumentChunk]:
        """Add a line with its line end; yields the chunk before it where that one is full."""
        if self._size >= CHUNK_CHARS:
            yield self._take(is_last=False)
        self._lines.append(line)
        self._size += len(line)

    def end_document(self) -> Iterator[DocumentChunk]:
        """Yields the last chunk of the document, or nothing where there was no line since the last document."""
        if self._lines:
            yield self._take(is_last=True)

    def _take(self, *, is_last: bool) -> DocumentChunk:
        chunk = DocumentChunk("".join(self._lines), is_last)
        self._lines, self._size = [], 0
        return chunk


def split_into_chunks(text: str) -> Iterator[DocumentChunk]:
    """The chunks of a document that is in memory; one, though empty, where its text is empty."""
    start = 0
    while len(text) - start > CHUNK_CHARS:
        end = start + find_cut(text[start : start + CHUNK_CHARS])
        yield DocumentChunk(text[start:end], False)
        start = end
    yield DocumentChunk(text[start:] if start else text, True)


def find_cut(text: str) -> int:
    """Where a long text is best cut: behind its last paragraph, else its last sentence, else its last word.

    Returns an index from half of the text's length on, so that chunks never get small; the length where nothing fits.
    """
    for end in ("\n", ". ", "。", " "):
        index = text.rfind(end, len(text) // 2)
        if index >= 0:
            return index + len(end)
    return len(text)
