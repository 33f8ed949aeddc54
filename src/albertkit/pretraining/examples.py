"""Rows of a corpus as batches, made when they are asked for: (seed, epoch, row) decides all of a row's bytes.

A row is found without the rows before it. It begins at the first sentence at or after an offset, drawn for each epoch,
and r strides of the row's length less its special tokens; so an epoch has as many rows as the corpus fills, and epochs
are cut in different places.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypedDict

import numpy as np

from albertkit.batches import PretrainingBatch
from albertkit.errors import InputError, did_you_mean
from albertkit.masking.ngrams import REPLACEMENTS, mask_words
from albertkit.masking.vocabulary import MaskingVocabulary
from albertkit.pretraining.segments import MIN_LENGTH, OBJECTIVES, SPECIAL_IN_PAIR, SegmentPair, SegmentSampler
from albertkit.pretraining.sentence_stream import SentenceStream, ShardLike
from albertkit.tokenization.base import AlbertTokenizerBase

# Behind (seed, epoch). No row shares these draws, as row 0 would those of (seed, epoch) alone: NumPy adds the 0.
_OFFSET, _ORDER = (0, 1), (0, 2)


class CorpusLike(Protocol):
    """What is read of a corpus; see albertkit.corpus.shards.Corpus."""

    @property
    def shards(self) -> Sequence[ShardLike]:
        """The ids with the bounds of sentences and documents."""
        ...

    def tokenizer(self) -> AlbertTokenizerBase:
        """The tokenizer that made the ids."""
        ...


class _Options(TypedDict):
    """The options of PretrainingExamples, kept so that another process can make them again."""

    length: int
    objective: str
    seed: int
    short_seq_prob: float
    ngram: int
    masked_lm_prob: float
    replacement: str


class PretrainingExamples:
    """The rows of a corpus, epoch by epoch. May be asked from several threads, and travels to processes as its corpus.

    corpus: an albertkit.corpus.shards.Corpus. vocabulary: that of its tokenizer, which is loaded where it is not given.

    length: L, the positions of a row. objective: "mlm", "mlm+sop" (sentence order) or "mlm+nsp" (next sentence). seed:
    a whole number from 0. short_seq_prob: the share of sequences that are cut at a length drawn uniformly. ngram: words
    masked together, at most. masked_lm_prob: the share of a sequence that is masked. replacement: whether [MASK], the
    piece itself or another is drawn for each "piece" or for each "span". Names and defaults are those of BERT's and
    ALBERT's create_pretraining_data.py where these have the option.

    InputError where an option is out of bounds, or the corpus too small for the objective.
    """

    def __init__(
        self,
        corpus: CorpusLike,
        vocabulary: MaskingVocabulary | None = None,
        *,
        length: int,
        objective: str,
        seed: int,
        short_seq_prob: float = 0.1,
        ngram: int = 3,
        masked_lm_prob: float = 0.15,
        replacement: str = "piece",
    ) -> None:
        self._options: _Options = {
            "length": length,
            "objective": objective,
            "seed": seed,
            "short_seq_prob": short_seq_prob,
            "ngram": ngram,
            "masked_lm_prob": masked_lm_prob,
            "replacement": replacement,
        }
        _require_usable(self._options)
        self.corpus = corpus
        self.vocabulary = MaskingVocabulary.from_tokenizer(corpus.tokenizer()) if vocabulary is None else vocabulary
        self.length, self.objective, self.seed = length, objective, seed
        self._stride = length - SPECIAL_IN_PAIR
        self._stream = SentenceStream(corpus.shards, max_length=self._stride)
        self._sampler = SegmentSampler(self._stream, length, objective, short_seq_prob)
        if objective == "mlm+nsp" and self._stream.documents < 2:
            raise InputError(
                "mlm+nsp takes segments from other documents. Received: one document. Take a corpus of more, or "
                "mlm+sop; where one document is held out to evaluate on, a larger `data.held_out`, or a corpus as "
                "`data.eval`."
            )

    def __reduce__(
        self,
    ) -> tuple[Callable[..., "PretrainingExamples"], tuple[CorpusLike, MaskingVocabulary, _Options]]:
        return _rebuild, (self.corpus, self.vocabulary, self._options)

    def __len__(self) -> int:
        """Rows of an epoch: as many as hold each token once."""
        return -(-self._stream.tokens // self._stride)

    def order(self, epoch: int) -> np.ndarray:
        """The rows of an epoch in random order: a permutation (rows,) int64, drawn by (seed, epoch)."""
        return self._rng(epoch, *_ORDER).permutation(len(self))

    def batch(self, epoch: int, rows: Sequence[int] | np.ndarray) -> PretrainingBatch:
        """Some rows of an epoch, which may repeat. InputError where there is no such row.

        Each row holds sequences end to end, each [CLS] A [SEP] B [SEP] of types 0 and 1, or [CLS] A [SEP]; behind them
        pad. A sequence without B, or of an objective that asks for no order, has the `sop_labels` -100.
        """
        shape = len(rows), self.length
        ids = np.full(shape, self.vocabulary.pad_id, np.int32)
        types, position_ids, sequence = (np.zeros(shape, np.int32) for _ in range(3))
        mlm_positions, mlm_labels, cls_positions, sop_labels = [], [], [], []
        for index, (pairs, rng) in enumerate(self._sample(epoch, rows)):
            row_start = index * self.length
            starts = self._write_row(pairs, ids[index], types[index], position_ids[index], sequence[index])
            cls_positions.append(row_start + starts)
            sop_labels += [pair.label for pair in pairs]
            masked = mask_words(
                ids[index],
                sequence[index],
                self.vocabulary,
                ngram=self._options["ngram"],
                masked_lm_prob=self._options["masked_lm_prob"],
                replacement=self._options["replacement"],
                rng=rng,
            )
            ids[index, masked.positions] = masked.inputs
            mlm_positions.append(row_start + masked.positions)
            mlm_labels.append(masked.labels)
        return PretrainingBatch(
            ids,
            types,
            position_ids,
            sequence,
            mlm_positions=_concatenate(mlm_positions),
            mlm_labels=_concatenate(mlm_labels),
            cls_positions=_concatenate(cls_positions),
            sop_labels=np.array(sop_labels, np.int32),
        )

    def statistics(self, epoch: int, rows: Sequence[int] | np.ndarray) -> dict[str, int]:
        """Counts over some rows of an epoch: positions, tokens, sequences, unpaired, truncated.

        `positions` are the rows' lengths together, `tokens` those of them that are filled, special tokens too.
        `unpaired` are the sequences whose document has one sentence. `truncated` are the tokens of gathered sentences
        that had no room. InputError where there is no such row.
        """
        pairs = [pair for row, _ in self._sample(epoch, rows) for pair in row]
        return {
            "positions": len(rows) * self.length,
            "tokens": sum(pair.length for pair in pairs),
            "sequences": len(pairs),
            "unpaired": sum(not len(pair.tokens_b) for pair in pairs),
            "truncated": sum(pair.truncated for pair in pairs),
        }

    def _sample(self, epoch: int, rows: Iterable[int]) -> Iterator[tuple[list[SegmentPair], np.random.Generator]]:
        """The sequences of rows, each with the generator that its masks are drawn from next."""
        offset = int(self._rng(epoch, *_OFFSET).integers(self._stream.tokens))
        for row in rows:
            if not 0 <= row < len(self):
                raise InputError(f"A row must lie in 0..{len(self) - 1}, those of an epoch. Received: {row}.")
            rng = self._rng(epoch, int(row))
            yield self._sampler.sample_row((offset + int(row) * self._stride) % self._stream.tokens, rng), rng

    def _rng(self, epoch: int, *behind: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch, *behind])

    def _write_row(
        self,
        pairs: Sequence[SegmentPair],
        ids: np.ndarray,
        types: np.ndarray,
        position_ids: np.ndarray,
        sequence: np.ndarray,
    ) -> np.ndarray:
        """Write sequences into the arrays (L,) of a row, and return the position (S,) where each begins."""
        starts = []
        start = 0
        for number, pair in enumerate(pairs, start=1):
            starts.append(start)
            middle = start + 1 + len(pair.tokens_a)
            end = start + pair.length
            ids[start], ids[middle] = self.vocabulary.cls_id, self.vocabulary.sep_id
            ids[start + 1 : middle] = pair.tokens_a
            if len(pair.tokens_b):
                ids[middle + 1 : end - 1] = pair.tokens_b
                ids[end - 1] = self.vocabulary.sep_id
                types[middle + 1 : end] = 1
            position_ids[start:end] = np.arange(pair.length)
            sequence[start:end] = number
            start = end
        return np.array(starts)


def _rebuild(corpus: CorpusLike, vocabulary: MaskingVocabulary, options: _Options) -> PretrainingExamples:
    return PretrainingExamples(corpus, vocabulary, **options)


def _concatenate(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int32), *parts]).astype(np.int32)


def _require_usable(options: _Options) -> None:
    for name, known in (("objective", OBJECTIVES), ("replacement", REPLACEMENTS)):
        if options[name] not in known:
            near = did_you_mean(str(options[name]), known)
            raise InputError(f"`{name}` must be one of {', '.join(known)}. Received: {options[name]!r}.{near}")
    for name, least in (("length", MIN_LENGTH), ("ngram", 1), ("seed", 0)):
        if options[name] < least:
            raise InputError(f"`{name}` must be at least {least}. Received: {options[name]}.")
    if not 0 <= options["short_seq_prob"] <= 1:
        raise InputError(f"`short_seq_prob` must lie in 0..1. Received: {options['short_seq_prob']}.")
    if not 0 < options["masked_lm_prob"] < 1:
        raise InputError(
            f"`masked_lm_prob` must lie between 0 and 1, such as 0.15. Received: {options['masked_lm_prob']}."
        )
