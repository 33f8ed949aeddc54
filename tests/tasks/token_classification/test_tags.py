"""Tags and the entities that they mark."""

import numpy as np
import pytest

from albertkit.tasks.spans import Span
from albertkit.tasks.token_classification import tags

WORDS = 6
ENTITIES = [Span(0, 2, "PER"), Span(2, 3, "PER"), Span(4, 6, "LOC")]
WRITTEN = {
    "IOB2": "B-PER I-PER B-PER O B-LOC I-LOC",
    "IOB1": "I-PER I-PER B-PER O I-LOC I-LOC",
    "IOBES": "B-PER E-PER S-PER O B-LOC E-LOC",
    "BILOU": "B-PER L-PER U-PER O B-LOC L-LOC",
}


@pytest.mark.parametrize("scheme", WRITTEN)
def test_a_scheme_is_written_read_and_told_from_the_others(scheme):
    written = WRITTEN[scheme].split()
    assert tags.to_tags(ENTITIES, WORDS, scheme) == written
    assert tags.spans(written, scheme) == tags.spans(written, scheme, strict=True) == ENTITIES
    assert tags.detect([written]) == (scheme, [])
    assert tags.follows(written, scheme)


def random_entities(rng, scheme):
    found, place = [], 0
    while place < WORDS:
        stop = int(rng.integers(place + 1, WORDS + 1))
        span = Span(place, stop, str(rng.choice(["A", "B"])))
        beside = found and (found[-1].stop, found[-1].type) == (place, span.type)
        if rng.random() < 0.5 or (scheme == "IO" and beside):
            place += 1
            continue
        found.append(span)
        place = stop
    return found


@pytest.mark.parametrize("scheme", tags.SCHEMES)
def test_any_entities_come_back_from_their_tags(scheme):
    rng = np.random.default_rng(0)
    for _ in range(500):
        found = random_entities(rng, scheme)
        written = tags.to_tags(found, WORDS, scheme)
        assert tags.spans(written, scheme) == tags.spans(written, scheme, strict=True) == found
        assert tags.follows(written, scheme)


@pytest.mark.parametrize(
    ("written", "lenient", "strict"),
    [
        ("O I-A I-A", [(1, 3, "A")], []),
        ("B-A I-B", [(0, 1, "A"), (1, 2, "B")], [(0, 1, "A")]),
        ("B-A I-A I-B B-B", [(0, 2, "A"), (2, 3, "B"), (3, 4, "B")], [(0, 2, "A"), (3, 4, "B")]),
        ("O O", [], []),
    ],
)
def test_what_begins_with_an_inner_tag_counts_only_where_that_is_allowed(written, lenient, strict):
    """As the script of CoNLL-2003 has it, and as strict scoring in IOB2 has it (seqeval 1.2.2 agrees on both)."""
    assert tags.spans(written.split()) == lenient
    assert tags.spans(written.split(), strict=True) == strict


@pytest.mark.parametrize(
    ("written", "scheme", "lenient", "strict"),
    [
        ("O E-A", "IOBES", [(1, 2, "A")], []),
        ("B-A I-A O", "IOBES", [(0, 2, "A")], []),
        ("S-A E-A", "IOBES", [(0, 1, "A"), (1, 2, "A")], [(0, 1, "A")]),
        ("U-A U-A", "BILOU", [(0, 1, "A"), (1, 2, "A")], [(0, 1, "A"), (1, 2, "A")]),
        ("L-A B-A L-A", "BILOU", [(0, 1, "A"), (1, 3, "A")], [(1, 3, "A")]),
        ("B-A I-A", "IOB1", [(0, 2, "A")], []),
        ("I-A B-A I-A", "IOB1", [(0, 1, "A"), (1, 3, "A")], [(0, 1, "A"), (1, 3, "A")]),
    ],
)
def test_ends_and_single_words_count_as_their_scheme_has_them(written, scheme, lenient, strict):
    assert tags.spans(written.split(), scheme) == lenient
    assert tags.spans(written.split(), scheme, strict=True) == strict


def test_of_two_ways_to_use_the_same_prefixes_the_one_that_fewer_sentences_break_is_taken():
    assert tags.detect([["B-A", "I-A"], ["O", "B-A"], ["O", "I-A"]]) == ("IOB2", [2])
    assert tags.detect([["I-A", "I-A"], ["O", "I-A"], ["O", "B-A"]]) == ("IOB1", [2])
    assert tags.detect([["I-A", "O"]]) == ("IO", [])
    assert tags.detect([["A", "A", "O"]]) == ("IO", [])
    assert tags.spans(["A", "A", "O", "B_X"]) == [(0, 2, "A"), (3, 4, "X")]


def test_a_slip_in_one_sentence_does_not_make_another_scheme_of_all_others():
    iob2 = [["B-A", "I-A"], ["O", "B-A"]]
    assert tags.detect([*iob2, ["O", "E-A"]]) == ("IOB2", [2])
    assert tags.detect([["S-A", "O"], *iob2]) == ("IOB2", [0])
    iobes = [["B-A", "E-A"], ["O", "S-A"]]
    assert tags.detect([*iobes, ["U-A"], ["B-A", "I-A"]]) == ("IOBES", [2, 3])
    assert tags.detect([["U-A"], ["B-A", "L-A"], ["S-A"]]) == ("BILOU", [2])
    assert tags.detect([["I-A"], ["I-A", "O"], ["E-A"]]) == ("IO", [2])


def test_types_are_named_once_and_without_prefix():
    assert tags.types(["O", "B-x", "I-x", "S-a"]) == ["a", "x"]
    assert tags.scheme_of(["O", "B-x", "I-x"]) == "IOB2"
    assert tags.scheme_of(["O", "B-x", "U-x"]) == "BILOU"
    assert tags.scheme_of(["O", "U-x"]) == "BILOU"  # entities of one word alone
    assert tags.scheme_of(["O", "S-x"]) == "IOBES"
    assert tags.scheme_of(["O", "x"]) == "IO"
