"""A place in a corpus -> the sequences that fill a row from there on. Knows ids and bounds, no special tokens.

A sequence is two segments, [CLS] A [SEP] B [SEP], or [CLS] A [SEP] where its document has no second sentence. Both are
whole sentences of one document until they are cut to the room there is; only mlm+nsp takes B from elsewhere.

"mlm+sop" is sentence-order prediction (ALBERT, arXiv 1909.11942, section 3.1): A and B are consecutive, and swapped in
half of the pairs. "mlm+nsp" is next-sentence prediction (BERT, arXiv 1810.04805, section 3.1): in half of the pairs B
is of another document. How much text a sequence gathers, where A ends and how a pair is cut follow BERT's
create_pretraining_data.py, which ALBERT's builds on.
"""

from typing import NamedTuple

import numpy as np

from albertkit.pretraining.sentence_stream import CorpusPosition, SentenceStream
from albertkit.rules import IGNORED

OBJECTIVES = ("mlm", "mlm+sop", "mlm+nsp")
SPECIAL_IN_PAIR, SPECIAL_IN_SINGLE = 3, 2
"""Special tokens of a sequence of two segments, and of one."""
MIN_LENGTH = SPECIAL_IN_PAIR + 2
"""Positions below which no sequence is begun: a token in each segment."""


class SegmentPair(NamedTuple):
    """The segments A and B of one sequence of a row."""

    tokens_a: np.ndarray
    """(A,) ids."""
    tokens_b: np.ndarray
    """(B,) ids; none where there is no pair."""
    label: int
    """0 B follows A, 1 it does not (swapped, or of another document), -100 nothing was drawn."""
    truncated: int
    """Tokens that were cut off."""

    @property
    def length(self) -> int:
        """Positions that it takes in a row, special tokens included."""
        return len(self.tokens_a) + len(self.tokens_b) + (SPECIAL_IN_PAIR if len(self.tokens_b) else SPECIAL_IN_SINGLE)


class SegmentSampler:
    """Draws the sequences of rows of `length` positions; see albertkit.pretraining.examples for the options."""

    def __init__(self, stream: SentenceStream, length: int, objective: str, short_seq_prob: float) -> None:
        self._stream = stream
        self._length = length
        self._objective = objective
        # BERT makes a share p of the sequences short and pads them. Here a share q of the rows is cut in two, which
        # keeps them full: each such row makes two short sequences, so that 2q / (1 + q) = p.
        self._cut_prob = short_seq_prob / (2 - short_seq_prob)

    def sample_row(self, token: int, rng: np.random.Generator) -> list[SegmentPair]:
        """The sequences that fill a row from a token of the corpus on. No document is begun twice in it."""
        position: CorpusPosition | None = self._stream.seek(token)
        first_document = self._stream.document_number(position)
        pairs: list[SegmentPair] = []
        used = 0
        for end in self._draw_ends(rng):
            while position is not None and end - used >= MIN_LENGTH:
                pair, behind = self._sample_pair(position, end - used, rng)
                pairs.append(pair)
                used += pair.length
                position = behind or self._next_document(position, first_document)
        return pairs

    def _draw_ends(self, rng: np.random.Generator) -> list[int]:
        """Where sequences must end in a row: at its end, and in a share of rows at a uniform position before it too."""
        is_cut = rng.random() < self._cut_prob
        if is_cut and self._length >= 2 * MIN_LENGTH:
            return [int(rng.integers(MIN_LENGTH, self._length - MIN_LENGTH + 1)), self._length]
        return [self._length]

    def _next_document(self, position: CorpusPosition, first_document: int) -> CorpusPosition | None:
        number = (self._stream.document_number(position) + 1) % self._stream.documents
        return None if number == first_document else self._stream.seek_document(number)

    def _sample_pair(
        self, position: CorpusPosition, max_length: int, rng: np.random.Generator
    ) -> tuple[SegmentPair, CorpusPosition | None]:
        """The sequence from a position on, of at most `max_length`, and where its document goes on."""
        bounds, behind = self._stream.next_sentences(position, max_length - SPECIAL_IN_PAIR, min_sentences=2)
        if len(bounds) == 2:
            # A single sentence is left of the document. The original would take B from another document, which would
            # teach topics rather than order; here the sentence before comes in, or the sequence has no B.
            before = self._stream.previous_sentence(position)
            if before is None:
                only = self._stream.read(position, *bounds)
                return truncate_pair(only, only[:0], IGNORED, max_length - SPECIAL_IN_SINGLE, rng), behind
            bounds.insert(0, before)
        middle = bounds[int(rng.integers(1, len(bounds) - 1))]  # A ends with any sentence but the last, as in BERT
        tokens_a = self._stream.read(position, bounds[0], middle)
        tokens_b = self._stream.read(position, middle, bounds[-1])
        label = IGNORED if self._objective == "mlm" else int(rng.random() < 0.5)
        if label == 1 and self._objective == "mlm+sop":
            # The same two segments in the other order: only their order can tell the label, no topic.
            tokens_a, tokens_b = tokens_b, tokens_a
        elif label == 1:
            tokens_b = self._sample_other_document(position, len(tokens_b), rng)
            if middle > position.token:  # what B would have been is read again, so that no text is lost
                behind = position._replace(token=middle)
        return truncate_pair(tokens_a, tokens_b, label, max_length - SPECIAL_IN_PAIR, rng), behind

    def _sample_other_document(self, position: CorpusPosition, tokens: int, rng: np.random.Generator) -> np.ndarray:
        """Sentences of another document, about as long as what they stand for, so that length tells nothing."""
        number = int(rng.integers(self._stream.documents - 1))
        number += number >= self._stream.document_number(position)  # any but the position's own
        other = self._stream.seek_document(number, rng.random())
        bounds, _ = self._stream.next_sentences(other, tokens, min_sentences=1)
        return self._stream.read(other, bounds[0], bounds[-1])


def truncate_pair(
    tokens_a: np.ndarray, tokens_b: np.ndarray, label: int, room: int, rng: np.random.Generator
) -> SegmentPair:
    """A pair of at most `room` tokens, of ids (A,) and (B,): BERT's truncate_seq_pair.

    Tokens go one at a time from the longer side, from B where both are equal, and from its front or back with
    probability 1/2 each, so that neither end of a segment is favoured. How many go from where is worked out at once.
    """
    excess = len(tokens_a) + len(tokens_b) - room
    if excess <= 0:
        return SegmentPair(tokens_a, tokens_b, label, 0)
    lead = len(tokens_a) - len(tokens_b)
    # First the longer side alone loses its lead, then both lose by turns, B first.
    from_longer = min(excess, abs(lead))
    cut = np.full(2, (excess - from_longer) // 2)
    cut[int(lead <= 0)] += from_longer
    cut[1] += excess - cut.sum()
    # Of tokens that each go from the front with probability 1/2, the number that did is binomial.
    front = rng.binomial(cut, 0.5)
    tokens_a = tokens_a[front[0] : len(tokens_a) - (cut[0] - front[0])]
    tokens_b = tokens_b[front[1] : len(tokens_b) - (cut[1] - front[1])]
    return SegmentPair(tokens_a, tokens_b, label, excess)
