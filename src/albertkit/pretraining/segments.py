"""A place in a corpus -> the sequences that fill a row from there on. Knows ids and bounds, no special tokens.

A sequence is two segments, [CLS] A [SEP] B [SEP], or [CLS] A [SEP] where its document has no second sentence. Both are
whole sentences of one document until they are cut to the room there is; only mlm+nsp takes B from elsewhere.
"""

from collections.abc import Sequence as Seq
from typing import NamedTuple, Protocol

import numpy as np

from albertkit.rules import IGNORED

OBJECTIVES = ("mlm", "mlm+sop", "mlm+nsp")
PAIR, SINGLE = 3, 2
"""Special tokens of a sequence of two segments, and of one."""
LEAST = PAIR + 2
"""Places below which no sequence is begun: a token in each segment."""


class ShardLike(Protocol):
    """What is read of a shard; see albertkit.corpus.shards."""

    @property
    def tokens(self) -> np.ndarray: ...  # noqa: D102
    @property
    def sentences(self) -> np.ndarray: ...  # noqa: D102
    @property
    def documents(self) -> np.ndarray: ...  # noqa: D102


class Sequence(NamedTuple):
    """One sequence of a row."""

    first: np.ndarray
    """(A,) ids."""
    second: np.ndarray
    """(B,) ids; none where there is no pair."""
    label: int
    """0 B follows A, 1 it does not (swapped, or of another document), -100 nothing was drawn."""
    truncated: int
    """Tokens that were cut off."""

    @property
    def length(self) -> int:
        """Places that it takes, special tokens included."""
        return len(self.first) + len(self.second) + (PAIR if len(self.second) else SINGLE)


class Place(NamedTuple):
    """Where reading goes on: the start of a sentence."""

    shard: int
    document: int
    """Within the shard."""
    token: int
    """Within the shard."""


class Stream:
    """The sentences of a corpus, shard after shard.

    A sentence of more than `longest` tokens counts as several of half as many, so that rows reach all of it.
    """

    def __init__(self, shards: Seq[ShardLike], longest: int) -> None:
        # Plain arrays over the mapped memory: slicing a np.memmap costs several times as much.
        self._shards = [
            (np.asarray(shard.tokens), np.asarray(shard.sentences), np.asarray(shard.documents)) for shard in shards
        ]
        self._first_token = np.cumsum([0, *(len(tokens) for tokens, _, _ in self._shards)])
        self._first_document = np.cumsum([0, *(len(documents) - 1 for _, _, documents in self._shards)])
        self._longest, self._part = longest, -(-longest // 2)
        self.tokens, self.documents = int(self._first_token[-1]), int(self._first_document[-1])

    def at(self, position: int) -> Place:
        """The first sentence at or after a token of the corpus; the last of its shard where there is none."""
        shard = int(np.searchsorted(self._first_token, position, "right")) - 1
        _, sentences, documents = self._shards[shard]
        local = position - int(self._first_token[shard])
        sentence = int(np.searchsorted(sentences, local))
        if sentences[sentence] > local and (cuts := self._cuts(sentences, sentence - 1))[-1] >= local:
            token = cuts[np.searchsorted(cuts, local)]
        elif sentence == len(sentences) - 1:
            token = self._cuts(sentences, sentence - 1)[-1]
        else:
            token = sentences[sentence]
        sentence = np.searchsorted(sentences, token, "right") - 1
        return Place(shard, int(np.searchsorted(documents, sentence, "right")) - 1, int(token))

    def number(self, place: Place) -> int:
        """The number of a document in the corpus."""
        return int(self._first_document[place.shard]) + place.document

    def document(self, number: int, sentence: float = 0.0) -> Place:
        """A place in a document by its number: the sentence at a fraction of its sentences, by default the first."""
        shard = int(np.searchsorted(self._first_document, number, "right")) - 1
        _, sentences, documents = self._shards[shard]
        within = number - int(self._first_document[shard])
        first, end = int(documents[within]), int(documents[within + 1])
        return Place(shard, within, int(sentences[first + int(sentence * (end - first))]))

    def read(self, place: Place, start: int, end: int) -> np.ndarray:
        """The ids of a stretch of a place's shard."""
        return self._shards[place.shard][0][start:end]

    def ahead(self, place: Place, tokens: int, least: int) -> tuple[list[int], Place | None]:
        """The bounds of the sentences from a place to its document's end, or to the one that makes `tokens` full.

        At least `least` sentences where the document has them. And the place behind them, None at the document's end.
        """
        _, sentences, documents = self._shards[place.shard]
        sentence = int(np.searchsorted(sentences, place.token, "right")) - 1
        last = int(documents[place.document + 1])
        # No sentence is empty, so as many sentences as tokens are enough.
        window = sentences[sentence : min(last, sentence + max(tokens, least)) + 1]
        count = _enough(window[1:], place.token + tokens, least)
        bounds = window[: count + 1].tolist()
        if np.diff(window[: count + 1]).max() > self._longest:
            cuts = np.concatenate([self._cuts(sentences, sentence + index) for index in range(count)])
            bounds = [*cuts[cuts >= place.token].tolist(), bounds[-1]]
            bounds = bounds[: _enough(np.asarray(bounds[1:]), place.token + tokens, least) + 1]
        ended = bounds[-1] == sentences[last]
        return bounds, None if ended else place._replace(token=bounds[-1])

    def before(self, place: Place) -> int | None:
        """Where the sentence before a place begins, None at its document's start."""
        _, sentences, documents = self._shards[place.shard]
        if place.token == sentences[documents[place.document]]:
            return None
        sentence = int(np.searchsorted(sentences, place.token)) - 1
        cuts = self._cuts(sentences, sentence)
        return int(cuts[np.searchsorted(cuts, place.token) - 1])

    def _cuts(self, sentences: np.ndarray, sentence: int) -> np.ndarray:
        """The starts of the parts of a sentence: of itself where it is not too long."""
        start, end = int(sentences[sentence]), int(sentences[sentence + 1])
        return np.arange(start, end, self._part if end - start > self._longest else end - start)


def _enough(ends: np.ndarray, target: int, least: int) -> int:
    """How many sentences to take: up to the first whose end reaches the target, `least` at least, all at most."""
    return min(max(int(np.searchsorted(ends, target)) + 1, least), len(ends))


class Segments:
    """Draws the sequences of rows of `length` places; see albertkit.pretraining.examples for the options."""

    def __init__(self, stream: Stream, length: int, objective: str, short_seq_prob: float) -> None:
        self._stream = stream
        self._length = length
        self._objective = objective
        # Each cut row makes two short sequences: 2q / (1 + q) = p.
        self._cut_prob = short_seq_prob / (2 - short_seq_prob)

    def row(self, position: int, rng: np.random.Generator) -> list[Sequence]:
        """The sequences that fill a row from a token of the corpus on. No document is begun twice in it."""
        place: Place | None = self._stream.at(position)
        first = self._stream.number(place)
        sequences: list[Sequence] = []
        used = 0
        for end in self._ends(rng):
            while place is not None and end - used >= LEAST:
                sequence, behind = self._sequence(place, end - used, rng)
                sequences.append(sequence)
                used += sequence.length
                place = behind or self._next_document(place, first)
        return sequences

    def _ends(self, rng: np.random.Generator) -> list[int]:
        """Where the targets of a row end: at its end, and in a share of rows at a uniform place before it too."""
        is_cut = rng.random() < self._cut_prob
        if is_cut and self._length >= 2 * LEAST:
            return [int(rng.integers(LEAST, self._length - LEAST + 1)), self._length]
        return [self._length]

    def _next_document(self, place: Place, first: int) -> Place | None:
        number = (self._stream.number(place) + 1) % self._stream.documents
        return None if number == first else self._stream.document(number)

    def _sequence(self, place: Place, target: int, rng: np.random.Generator) -> tuple[Sequence, Place | None]:
        """The sequence from a place on, of at most `target` places, and where its document goes on."""
        bounds, behind = self._stream.ahead(place, target - PAIR, least=2)
        if len(bounds) == 2:
            before = self._stream.before(place)
            if before is None:
                only = self._stream.read(place, *bounds)
                return _fitted(only, only[:0], IGNORED, target - SINGLE, rng), behind
            bounds.insert(0, before)
        middle = bounds[int(rng.integers(1, len(bounds) - 1))]
        first, second = self._stream.read(place, bounds[0], middle), self._stream.read(place, middle, bounds[-1])
        label = IGNORED if self._objective == "mlm" else int(rng.random() < 0.5)
        if label == 1 and self._objective == "mlm+sop":
            first, second = second, first
        elif label == 1:
            second = self._elsewhere(place, len(second), rng)
            if middle > place.token:  # What was not used is read again.
                behind = place._replace(token=middle)
        return _fitted(first, second, label, target - PAIR, rng), behind

    def _elsewhere(self, place: Place, tokens: int, rng: np.random.Generator) -> np.ndarray:
        """Sentences of another document, about as long as what they stand for, so that length tells nothing."""
        number = int(rng.integers(self._stream.documents - 1))
        number += number >= self._stream.number(place)
        there = self._stream.document(number, rng.random())
        bounds, _ = self._stream.ahead(there, tokens, least=1)
        return self._stream.read(there, bounds[0], bounds[-1])


def _fitted(first: np.ndarray, second: np.ndarray, label: int, room: int, rng: np.random.Generator) -> Sequence:
    """A sequence of at most `room` tokens.

    Tokens go one at a time from the longer side, from the second where both are equal, and from its front or back with
    probability 1/2 each; how many go from where is worked out at once.
    """
    over = len(first) + len(second) - room
    if over <= 0:
        return Sequence(first, second, label, 0)
    lead = len(first) - len(second)
    unequal = min(over, abs(lead))
    cut = np.full(2, (over - unequal) // 2)
    cut[int(lead <= 0)] += unequal
    cut[1] += over - cut.sum()
    front = rng.binomial(cut, 0.5)
    first = first[front[0] : len(first) - (cut[0] - front[0])]
    second = second[front[1] : len(second) - (cut[1] - front[1])]
    return Sequence(first, second, label, over)
