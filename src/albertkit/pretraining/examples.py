"""Rows of a corpus as batches, made when they are asked for: (seed, epoch, row) decides all of a row's bytes.

A row is found without the rows before it. It begins at the first sentence at or after an offset, drawn for each epoch,
and r strides of the row's length less its special tokens; so an epoch has as many rows as the corpus fills, and epochs
are cut in different places.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from albertkit.errors import InputError, did_you_mean
from albertkit.pretraining import masking, segments
from albertkit.pretraining.segments import LEAST, OBJECTIVES, PAIR, Segments, ShardLike, Stream
from albertkit.pretraining.words import Pieces
from albertkit.tokenization.base import AlbertTokenizerBase

# Behind (seed, epoch). No row shares these draws, as row 0 would those of (seed, epoch) alone: NumPy adds the 0.
_OFFSET, _ORDER = (0, 1), (0, 2)


class CorpusLike(Protocol):
    """What is read of a corpus; see albertkit.corpus.shards."""

    @property
    def shards(self) -> Sequence[ShardLike]: ...  # noqa: D102
    def tokenizer(self) -> AlbertTokenizerBase: ...  # noqa: D102


class Examples:
    """The rows of a corpus, epoch by epoch. May be asked from several threads, and travels to processes as its corpus.

    corpus: an albertkit.corpus.shards.Corpus. pieces: those of its tokenizer, which is loaded where they are not
    given.

    length: L, the places of a row. objective: "mlm", "mlm+sop" (sentence order) or "mlm+nsp" (next sentence). seed: a
    whole number from 0. short_seq_prob: the share of sequences that are cut at a length drawn uniformly. ngram: words
    masked together, at most. budget: the share of a sequence that is masked. replacement: whether [MASK], the piece
    itself or another is drawn for each "piece" or for each "span".

    InputError where an option is out of bounds, or the corpus too small for the objective.
    """

    def __init__(
        self,
        corpus: CorpusLike,
        pieces: Pieces | None = None,
        *,
        length: int,
        objective: str,
        seed: int,
        short_seq_prob: float = 0.1,
        ngram: int = 3,
        budget: float = 0.15,
        replacement: str = "piece",
    ) -> None:
        self._options = {name: value for name, value in locals().items() if name not in ("self", "corpus", "pieces")}
        _require_usable(self._options)
        self.corpus = corpus
        self.pieces = Pieces.of(corpus.tokenizer()) if pieces is None else pieces
        self.length, self.objective, self.seed = length, objective, seed
        self._masking: dict[str, Any] = {"ngram": ngram, "budget": budget, "replacement": replacement}
        self._stride = length - PAIR
        self._stream = Stream(corpus.shards, longest=self._stride)
        self._segments = Segments(self._stream, length, objective, short_seq_prob)
        if objective == "mlm+nsp" and self._stream.documents < 2:
            raise InputError(
                "mlm+nsp takes segments from other documents. Received: one document. Take a corpus of more, or "
                "mlm+sop; where one document is held out to evaluate on, a larger `data.held_out`, or a corpus as "
                "`data.eval`."
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.corpus, self.pieces, self._options)

    def __len__(self) -> int:
        """Rows of an epoch: as many as hold each token once."""
        return -(-self._stream.tokens // self._stride)

    def order(self, epoch: int) -> np.ndarray:
        """The rows of an epoch in random order: a permutation (rows,) int64, drawn by (seed, epoch)."""
        return self._rng(epoch, *_ORDER).permutation(len(self))

    def batch(self, epoch: int, rows: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """The arrays of some rows of an epoch, all int32. InputError where there is no such row.

        For R rows of length L with M masked pieces and S sequences:

        input_ids, token_type_ids, position_ids (R, L): sequences end to end, each [CLS] A [SEP] B [SEP] of types 0 and
        1 and positions from 0, or [CLS] A [SEP]; behind them pad, type 0, position 0.
        sequence (R, L): the number of the sequence within its row, from 1; 0 where there is none.
        mlm_positions (M,): the masked places of input_ids read row after row, ascending. mlm_labels (M,): what stood
        there.
        cls_positions (S,): the places of [CLS], counted so too. sop_labels (S,): 0 where B follows A, 1 where it does
        not, -100 where there is no B or the objective asks for none.
        """
        shape = len(rows), self.length
        ids = np.full(shape, self.pieces.pad_id, np.int32)
        types, positions, sequence = (np.zeros(shape, np.int32) for _ in range(3))
        places, labels, starts, orders = [], [], [], []
        for index, (made, rng) in enumerate(self._made(epoch, rows)):
            starts.append(self._lay(made, ids[index], types[index], positions[index], sequence[index]))
            starts[-1] += index * self.length
            orders += [one.label for one in made]
            masked = masking.mask(ids[index], sequence[index], self.pieces, rng=rng, **self._masking)
            ids[index, masked.places] = masked.inputs
            places.append(masked.places + index * self.length)
            labels.append(masked.labels)
        return {
            "input_ids": ids,
            "token_type_ids": types,
            "position_ids": positions,
            "sequence": sequence,
            "mlm_positions": _joined(places),
            "mlm_labels": _joined(labels),
            "cls_positions": _joined(starts),
            "sop_labels": np.array(orders, np.int32),
        }

    def statistics(self, epoch: int, rows: Sequence[int] | np.ndarray) -> dict[str, int]:
        """Counts over some rows of an epoch: places, tokens (special ones too), sequences, unpaired, truncated tokens.

        `unpaired` are the sequences whose document has one sentence. `truncated` are the tokens of gathered sentences
        that had no room.
        """
        made = [one for row, _ in self._made(epoch, rows) for one in row]
        return {
            "places": len(rows) * self.length,
            "tokens": sum(one.length for one in made),
            "sequences": len(made),
            "unpaired": sum(not len(one.second) for one in made),
            "truncated": sum(one.truncated for one in made),
        }

    def _made(self, epoch: int, rows: Iterable[int]) -> Iterator[tuple[list[segments.Sequence], np.random.Generator]]:
        """The sequences of rows, each with the generator that its masks are drawn from next."""
        offset = int(self._rng(epoch, *_OFFSET).integers(self._stream.tokens))
        for row in rows:
            if not 0 <= row < len(self):
                raise InputError(f"A row must lie in 0..{len(self) - 1}, those of an epoch. Received: {row}.")
            rng = self._rng(epoch, int(row))
            yield self._segments.row((offset + int(row) * self._stride) % self._stream.tokens, rng), rng

    def _rng(self, epoch: int, *behind: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch, *behind])

    def _lay(
        self,
        made: list[segments.Sequence],
        ids: np.ndarray,
        types: np.ndarray,
        positions: np.ndarray,
        sequence: np.ndarray,
    ) -> np.ndarray:
        """Write sequences into the places (L,) of a row, and return where each begins."""
        starts = []
        at = 0
        for number, one in enumerate(made, start=1):
            starts.append(at)
            middle = at + 1 + len(one.first)
            end = at + one.length
            ids[at], ids[middle] = self.pieces.cls_id, self.pieces.sep_id
            ids[at + 1 : middle] = one.first
            if len(one.second):
                ids[middle + 1 : end - 1] = one.second
                ids[end - 1] = self.pieces.sep_id
                types[middle + 1 : end] = 1
            positions[at:end] = np.arange(one.length)
            sequence[at:end] = number
            at = end
        return np.array(starts)


def _again(corpus: CorpusLike, pieces: Pieces, options: dict[str, Any]) -> Examples:
    return Examples(corpus, pieces, **options)


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int32), *parts]).astype(np.int32)


def _require_usable(options: dict[str, Any]) -> None:
    for name, known in (("objective", OBJECTIVES), ("replacement", masking.REPLACEMENTS)):
        if options[name] not in known:
            near = did_you_mean(str(options[name]), known)
            raise InputError(f"`{name}` must be one of {', '.join(known)}. Received: {options[name]!r}.{near}")
    for name, least in (("length", LEAST), ("ngram", 1), ("seed", 0)):
        if options[name] < least:
            raise InputError(f"`{name}` must be at least {least}. Received: {options[name]}.")
    if not 0 <= options["short_seq_prob"] <= 1:
        raise InputError(f"`short_seq_prob` must lie in 0..1. Received: {options['short_seq_prob']}.")
    if not 0 < options["budget"] < 1:
        raise InputError(f"`budget` must lie between 0 and 1, such as 0.15. Received: {options['budget']}.")
