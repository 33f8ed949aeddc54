"""The sentences of a corpus as one stream over its shards, entered at any token. Knows bounds, draws nothing."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np


class ShardLike(Protocol):
    """What is read of a shard of T tokens, S sentences and D documents; see albertkit.corpus.shards.Shard."""

    @property
    def tokens(self) -> np.ndarray:
        """(T,) uint16 or uint32 ids, without special tokens."""
        ...

    @property
    def sentences(self) -> np.ndarray:
        """(S + 1,) int64: where each sentence begins in tokens, and the end of the last; none is empty."""
        ...

    @property
    def documents(self) -> np.ndarray:
        """(D + 1,) int64: the first sentence of each document, and the end of the last; none is empty."""
        ...


class CorpusPosition(NamedTuple):
    """Where reading goes on: the start of a sentence, or of a part of a long one."""

    shard: int
    document: int
    """Within the shard."""
    token: int
    """Within the shard."""


class SentenceStream:
    """The sentences of a corpus, shard after shard.

    A sentence of more than `max_length` tokens counts as several of half as many, so that rows reach all of it.
    """

    def __init__(self, shards: Sequence[ShardLike], max_length: int) -> None:
        """`shards` of a corpus, of which none is empty."""
        # Plain arrays over the mapped memory: slicing a np.memmap costs several times as much.
        self._shards = [
            (np.asarray(shard.tokens), np.asarray(shard.sentences), np.asarray(shard.documents)) for shard in shards
        ]
        self._first_token = np.cumsum([0, *(len(tokens) for tokens, _, _ in self._shards)])
        self._first_document = np.cumsum([0, *(len(documents) - 1 for _, _, documents in self._shards)])
        self._max_length, self._part_length = max_length, -(-max_length // 2)
        self.tokens, self.documents = int(self._first_token[-1]), int(self._first_document[-1])

    def seek(self, token: int) -> CorpusPosition:
        """The first sentence at or after a token of the corpus; the last of its shard where there is none."""
        shard = int(np.searchsorted(self._first_token, token, "right")) - 1
        _, sentences, documents = self._shards[shard]
        local = token - int(self._first_token[shard])
        sentence = int(np.searchsorted(sentences, local))
        if sentences[sentence] > local and (parts := self._part_starts(sentences, sentence - 1))[-1] >= local:
            start = parts[np.searchsorted(parts, local)]
        elif sentence == len(sentences) - 1:
            start = self._part_starts(sentences, sentence - 1)[-1]
        else:
            start = sentences[sentence]
        sentence = np.searchsorted(sentences, start, "right") - 1
        return CorpusPosition(shard, int(np.searchsorted(documents, sentence, "right")) - 1, int(start))

    def document_number(self, position: CorpusPosition) -> int:
        """The number of a position's document in the corpus."""
        return int(self._first_document[position.shard]) + position.document

    def seek_document(self, number: int, fraction: float = 0.0) -> CorpusPosition:
        """A sentence of a document by its number: the one at a fraction of its sentences, by default the first."""
        shard = int(np.searchsorted(self._first_document, number, "right")) - 1
        _, sentences, documents = self._shards[shard]
        within = number - int(self._first_document[shard])
        first, end = int(documents[within]), int(documents[within + 1])
        return CorpusPosition(shard, within, int(sentences[first + int(fraction * (end - first))]))

    def read(self, position: CorpusPosition, start: int, end: int) -> np.ndarray:
        """The ids (end - start,) of tokens `start` to `end` of a position's shard."""
        return self._shards[position.shard][0][start:end]

    def next_sentences(
        self, position: CorpusPosition, tokens: int, min_sentences: int
    ) -> tuple[list[int], CorpusPosition | None]:
        """The bounds of the sentences from a position to its document's end, or to the one that makes `tokens` full.

        At least `min_sentences` where the document has them. k sentences have k + 1 bounds, tokens within the shard.
        And the position behind them, None at the document's end.
        """
        _, sentences, documents = self._shards[position.shard]
        sentence = int(np.searchsorted(sentences, position.token, "right")) - 1
        last = int(documents[position.document + 1])
        # No sentence is empty, so as many sentences as tokens are enough.
        window = sentences[sentence : min(last, sentence + max(tokens, min_sentences)) + 1]
        count = _count_until(window[1:], position.token + tokens, min_sentences)
        bounds = window[: count + 1].tolist()
        if np.diff(window[: count + 1]).max() > self._max_length:
            starts = np.concatenate([self._part_starts(sentences, sentence + index) for index in range(count)])
            bounds = [*starts[starts >= position.token].tolist(), bounds[-1]]
            bounds = bounds[: _count_until(np.asarray(bounds[1:]), position.token + tokens, min_sentences) + 1]
        is_end = bounds[-1] == sentences[last]
        return bounds, None if is_end else position._replace(token=bounds[-1])

    def previous_sentence(self, position: CorpusPosition) -> int | None:
        """The token where the sentence before a position begins, None at its document's start."""
        _, sentences, documents = self._shards[position.shard]
        if position.token == sentences[documents[position.document]]:
            return None
        sentence = int(np.searchsorted(sentences, position.token)) - 1
        starts = self._part_starts(sentences, sentence)
        return int(starts[np.searchsorted(starts, position.token) - 1])

    def _part_starts(self, sentences: np.ndarray, sentence: int) -> np.ndarray:
        """The starts of the parts of a sentence: of itself where it is not too long."""
        start, end = int(sentences[sentence]), int(sentences[sentence + 1])
        return np.arange(start, end, self._part_length if end - start > self._max_length else end - start)


def _count_until(ends: np.ndarray, target: int, least: int) -> int:
    """How many sentences to take: up to the first whose end reaches the target, `least` at least, all at most."""
    return min(max(int(np.searchsorted(ends, target)) + 1, least), len(ends))
