"""What a corpus holds, in figures."""

from collections.abc import Iterable, Sequence

import numpy as np

from albertkit.corpus.layout import CorpusStatistics
from albertkit.corpus.shards import Corpus, Shard

EDGES = tuple(2**power for power in range(17))
"""Upper bounds of a histogram's bins, in tokens; what is longer counts in one bin more."""

_BLOCK = 2**22
"""Values of an array that are in memory at a time."""


def measure(shards: Iterable[Shard], unknown: int | None) -> CorpusStatistics:
    """Unknown tokens, the longest sentence, and histograms of the tokens of sentences and documents (EDGES).

    `unknown` is the id of the unknown token. Shards are looked at one by one, in blocks.
    """
    unknown_tokens = longest_sentence = 0
    sentences = np.zeros(len(EDGES) + 1, np.int64)
    documents = np.zeros(len(EDGES) + 1, np.int64)
    for shard in shards:
        for block in _blocks(shard.tokens):
            unknown_tokens += int(np.count_nonzero(block == unknown)) if unknown is not None else 0
        for block in _blocks(shard.sentences, overlap=1):
            lengths = np.diff(block)
            longest_sentence = max(longest_sentence, int(lengths.max(initial=0)))
            sentences += _histogram(lengths)
        for block in _blocks(shard.documents, overlap=1):
            documents += _histogram(np.diff(shard.sentences[block]))
    return {
        "unknown_tokens": unknown_tokens,
        "longest_sentence": longest_sentence,
        "length_edges": list(EDGES),
        "sentence_lengths": sentences.tolist(),
        "document_lengths": documents.tolist(),
    }


def _blocks(array: np.ndarray, overlap: int = 0) -> Iterable[np.ndarray]:
    return (array[start : start + _BLOCK + overlap] for start in range(0, len(array) - overlap, _BLOCK))


def _histogram(lengths: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(EDGES, lengths), minlength=len(EDGES) + 1)


def describe_left_out(corpus: Corpus) -> str:
    """What of the inputs is not in a corpus, in words; "" where all of it is."""
    counts = corpus.statistics
    left_out = {
        "duplicates": counts.get("duplicates", 0),
        "broken records": counts.get("broken_records", 0),
        "documents without a token": count_empty_documents(corpus),
    }
    return ", ".join(f"{count:,} {name}" for name, count in left_out.items() if count)


def count_empty_documents(corpus: Corpus) -> int:
    """How many documents were read that gave no token; 0 where the corpus was written from ids."""
    counts = corpus.statistics
    if "documents_read" not in counts:
        return 0
    return counts["documents_read"] - counts.get("duplicates", 0) - corpus.documents


def summarize(corpus: Corpus) -> Sequence[tuple[str, str]]:
    """The figures of a corpus for people, each with its name."""
    counts = corpus.statistics
    rows = [
        ("documents", f"{corpus.documents:,}"),
        ("sentences", f"{corpus.sentences:,}, {corpus.sentences / corpus.documents:.1f} a document"),
        ("tokens", f"{corpus.tokens:,}, {corpus.tokens / corpus.sentences:.1f} a sentence"),
        ("shards", f"{len(corpus.shards)}"),
    ]
    if "unknown_tokens" in counts:
        rows.append(("longest sentence", f"{counts.get('longest_sentence', 0):,} tokens"))
        unknown = counts["unknown_tokens"]
        rows.append(("unknown tokens", f"{unknown:,}, {unknown / corpus.tokens:.4%}"))
    if "text_bytes" in counts:
        repeated = ", duplicates among it" if corpus.head["settings"].get("deduplicate") else ""
        rows.append(("text", f"{counts['text_bytes'] / 1e6:,.1f} MB{repeated}"))
        rows.append(("left out", describe_left_out(corpus) or "nothing"))
    return [*rows, ("fingerprint", corpus.fingerprint)]


def describe_bins(statistics: CorpusStatistics, name: str) -> Sequence[tuple[str, int]]:
    """A histogram for people, "sentence_lengths" or "document_lengths": the bounds of each bin in words, and its count.

    From the first bin to the last that is not empty; [] where there is no such histogram.
    """
    edges, counts = statistics.get("length_edges", EDGES), statistics.get(name, [])
    lows = [1, *(edge + 1 for edge in edges)]
    words = [f"{low}" if low == high else f"{low} to {high}" for low, high in zip(lows, edges, strict=False)]
    words.append(f"over {edges[-1]}")
    filled = [number for number, count in enumerate(counts) if count]
    return [(words[n], counts[n]) for n in range(filled[0], filled[-1] + 1)] if filled else []
