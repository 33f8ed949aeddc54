"""A corpus on disk: the names of its files and what stands in those that are JSON.

    corpus/
      corpus.json          written last: fingerprint, settings, statistics, and the shards in order
      tokenizer/           the files of the tokenizer that made the ids
      shard-00000/         whole documents, no special tokens
        tokens.npy         (T,) uint16, or uint32 where the tokenizer has more than 65,536 tokens
        sentences.npy      (S + 1,) int64: where each sentence begins in tokens, and the end of the last
        documents.npy      (D + 1,) int64: the first sentence of each document, and the end of the last
        shard.json         counts, a digest of the arrays, and how far the build was

No sentence and no document is empty. A shard is written aside and renamed, so one that is there is complete.
"""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

CORPUS_FILE = "corpus.json"
TOKENIZER_FOLDER = "tokenizer"
SHARD_FILE = "shard.json"
FORMAT_VERSION = 1
ARRAYS = ("tokens", "sentences", "documents")
"""The arrays of a shard; each is a file of this name with the suffix .npy."""

Settings = Mapping[str, str | int | bool]
"""What the ids depend on besides inputs and tokenizer."""


class Counts(TypedDict):
    """Counts of what a build has read so far."""

    documents_read: int
    duplicates: int
    broken_records: int
    text_bytes: int
    """Bytes of UTF-8, duplicates included."""


def zero_counts() -> Counts:
    """The counts of a build that has read nothing yet."""
    return {"documents_read": 0, "duplicates": 0, "broken_records": 0, "text_bytes": 0}


class BuildProgress(TypedDict):
    """How far a build was when it finished a shard."""

    position: tuple[int, int]
    """The number of the file, and how many documents of it were read; a list after it was read from JSON."""
    bytes_done: int
    """Bytes of all files that were read, as they lie on disk."""
    counts: Counts
    """Of all that was read."""


class ShardSummary(TypedDict):
    """A shard as corpus.json lists it."""

    name: str
    tokens: int
    sentences: int
    documents: int
    digest: str
    """BLAKE2b of 16 bytes over the three files of arrays, in hexadecimal digits."""


class ShardRecord(ShardSummary, BuildProgress):
    """The contents of shard.json in a corpus that was built from files."""


class InputFile(TypedDict):
    """A file that a corpus was built from."""

    name: str
    bytes: int
    digest: str
    """BLAKE2b of 16 bytes, in hexadecimal digits."""


class CorpusStatistics(TypedDict, total=False):
    """What a build counted and what albertkit.corpus.statistics measures of its shards; {} in a corpus of given ids."""

    documents_read: int
    duplicates: int
    broken_records: int
    text_bytes: int
    unknown_tokens: int
    longest_sentence: int
    """Tokens."""
    length_edges: list[int]
    """The upper bounds of the bins of the two histograms below, which have one bin more for what is longer."""
    sentence_lengths: list[int]
    document_lengths: list[int]


class CorpusRecord(TypedDict):
    """The contents of corpus.json."""

    format: int
    """FORMAT_VERSION."""
    fingerprint: str
    """BLAKE2b of 16 bytes over the digests of tokenizer and shards, and the settings."""
    tokens: int
    sentences: int
    documents: int
    settings: Settings
    statistics: CorpusStatistics
    inputs: NotRequired[list[InputFile]]
    shards: list[ShardSummary]


def shard_name(number: int) -> str:
    """The folder of a shard, counted from 0."""
    return f"shard-{number:05d}"
