"""Figures: those of a plain count, in whatever blocks the arrays are looked at."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit.corpus import shards, statistics
from albertkit.tokenization.fast import AlbertTokenizerFast

DOCUMENTS = st.lists(st.lists(st.integers(1, 300), min_size=1, max_size=6), min_size=1, max_size=5)


def shard(documents, unknown):
    """A shard whose documents have sentences of these lengths; every `unknown`th token is 1, the others are 7."""
    lengths = [length for document in documents for length in document]
    tokens = np.full(sum(lengths), 7, np.uint16)
    tokens[::unknown] = 1
    return shards.Shard(tokens, np.cumsum([0, *lengths]), np.cumsum([0, *(len(document) for document in documents)]))


@given(given=st.lists(DOCUMENTS, min_size=1, max_size=3), unknown=st.integers(1, 50), block=st.integers(1, 9))
def test_figures_are_those_of_a_plain_count(given, unknown, block):
    opened = [shard(documents, unknown) for documents in given]
    before, statistics._BLOCK = statistics._BLOCK, block
    try:
        figures = statistics.measure(opened, 1)
    finally:
        statistics._BLOCK = before
    lengths = [length for documents in given for document in documents for length in document]
    totals = [sum(document) for documents in given for document in documents]
    assert figures["unknown_tokens"] == sum(int((one.tokens == 1).sum()) for one in opened)
    assert figures["longest_sentence"] == max(lengths)
    for name, values in (("sentence_lengths", lengths), ("document_lengths", totals)):
        lows = [0, *statistics.EDGES]
        counted = [
            sum(low < value <= high for value in values) for low, high in zip(lows, statistics.EDGES, strict=False)
        ]
        assert figures[name] == [*counted, 0]


def test_bins_are_named_from_the_first_to_the_last_that_is_filled():
    counts = [0] * 18
    counts[2], counts[4], counts[17] = 5, 1, 2
    figures = {"length_edges": list(statistics.EDGES), "sentence_lengths": counts}
    bins = statistics.describe_bins(figures, "sentence_lengths")
    assert bins[0] == ("3 to 4", 5)
    assert bins[1:3] == [("5 to 8", 0), ("9 to 16", 1)]
    assert bins[-1] == ("over 65536", 2)
    assert statistics.describe_bins({}, "sentence_lengths") == []


def test_a_corpus_of_ids_has_lines_too(tmp_path, data):
    made = shards.write(tmp_path, AlbertTokenizerFast(data / "spiece.model"), [[[5, 6], [7]], [[8]]])
    lines = dict(statistics.summarize(made))
    assert lines["documents"] == "2"
    assert lines["tokens"] == "4, 1.3 a sentence"
    assert lines["fingerprint"] == made.fingerprint
    assert statistics.describe_left_out(made) == ""
    made.statistics.update({"text_bytes": 2_000_000, "documents_read": 2, "duplicates": 0})
    assert dict(statistics.summarize(made))["text"] == "2.0 MB"


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"duplicates": 1, "broken_records": 0, "documents_read": 3}, "1 duplicates"),
        ({"duplicates": 0, "broken_records": 2, "documents_read": 2}, "2 broken records"),
        ({"duplicates": 1, "broken_records": 0, "documents_read": 5}, "1 duplicates, 2 documents without a token"),
    ],
)
def test_what_is_left_out_is_said(tmp_path, data, counts, words):
    made = shards.write(tmp_path, AlbertTokenizerFast(data / "spiece.model"), [[[5, 6], [7]], [[8]]])
    made.statistics.update(counts)
    assert statistics.describe_left_out(made) == words
