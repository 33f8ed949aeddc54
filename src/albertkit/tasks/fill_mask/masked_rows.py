"""Raw texts -> rows of a masked language model, the masks in them, and how well these were predicted.

Letters: L tokens of a row, P masked places of it, V vocabulary.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from albertkit.arrays import log_probabilities
from albertkit.backends import Outputs
from albertkit.errors import InputError
from albertkit.masking.ngrams import mask_words
from albertkit.masking.vocabulary import MaskingVocabulary
from albertkit.rules import IGNORED
from albertkit.tasks.features import Features, not_finite
from albertkit.tasks.fill_mask.raw_texts import MaskedLMOptions
from albertkit.tasks.pieces import whole_ids
from albertkit.tasks.windows import windows
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json

_EVALUATION_SEED = 0
_AT_ONCE = 1024
"""Texts that are cut into pieces at a time: as arrays they take a tenth of what lists do."""


@dataclass(frozen=True)
class Masking:
    """Masks for rows: pieces or n-grams of whole words, drawn by a generator for each row; see `masking.ngrams`."""

    vocabulary: MaskingVocabulary
    probability: float
    ngram: int

    @classmethod
    def of(cls, tokenizer: AlbertTokenizerBase, options: MaskedLMOptions) -> "Masking":
        """As the options say. InputError where the tokenizer lacks a special token."""
        vocabulary = MaskingVocabulary.from_tokenizer(tokenizer)
        if not options.whole_word_mask:
            vocabulary = replace(vocabulary, is_word_start=np.ones_like(vocabulary.is_word_start))
        return cls(vocabulary, options.mlm_probability, options.ngram)

    def __call__(self, features: Features, rngs: Sequence[np.random.Generator]) -> Features:
        """The same rows with other masks: ids, `labels` (L,) with -100 where nothing is asked, and `positions`."""
        ids, labels, positions = [], [], []
        for row, known, rng in zip(*_rows_of(features), rngs, strict=True):
            true = np.where(known == IGNORED, row, known)
            masked = mask_words(
                true,
                np.ones(len(true), np.int64),
                self.vocabulary,
                ngram=self.ngram,
                masked_lm_prob=self.probability,
                replacement="piece",
                rng=rng,
            )
            row, target = true.copy(), np.full(len(true), IGNORED, np.int32)
            row[masked.positions], target[masked.positions] = masked.inputs, masked.labels
            ids.append(row)
            labels.append(target)
            positions.append(masked.positions.tolist())
        return replace(features, input_ids=ids, labels={"labels": labels}, positions=positions)

    def fixed(self, features: Features) -> Features:
        """The rows with masks that are the same whenever they are drawn, to evaluate on."""
        return self(features, [np.random.default_rng([_EVALUATION_SEED, row]) for row in range(len(features))])


def _rows_of(features: Features) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(L,) ids and labels of each row."""
    ids = [np.asarray(row, np.int32) for row in features.input_ids]
    labels = features.labels.get("labels")
    return ids, [np.full(len(row), IGNORED, np.int32) for row in ids] if labels is None else list(labels)


def of_texts(tokenizer: AlbertTokenizerBase, texts: Sequence[str], options: MaskedLMOptions) -> Features:
    """[CLS] pieces [SEP], without masks: a text a row, or all texts one behind the other in windows of `max_length`.

    Nothing is cut off: a text that is too long for a row fills several. Packed texts have [SEP] between them, and the
    last row may be shorter. InputError where no text has a piece.
    """
    pieces: list[Json] = [
        ids for at in range(0, len(texts), _AT_ONCE) for ids in _pieces(tokenizer, texts[at : at + _AT_ONCE])
    ]
    cls_id, sep_id = tokenizer.cls_token_id, tokenizer.sep_token_id
    rows: list[Json] = []
    owners: list[int] = []
    for number, part in enumerate(pieces if options.line_by_line else [_joined(pieces, sep_id)]):
        for window in windows(len(part), options.max_length - 2, 0):
            inner = _between(part[window.start : window.stop], sep_id)
            if len(inner):
                rows.append(np.concatenate([[cls_id], inner, [sep_id]]).astype(np.int32))
                owners.append(number)
    if not rows:
        raise InputError(
            f"A masked language model needs text to read. Received: {len(texts):,} texts without a single piece of the "
            "vocabulary."
        )
    types: Json = np.zeros(max(map(len, rows)), np.int8)
    example = owners if options.line_by_line else None
    return Features(rows, [types[: len(row)] for row in rows], example=example, whole=pieces)


def _pieces(tokenizer: AlbertTokenizerBase, texts: Sequence[str]) -> list[np.ndarray]:
    """The ids of each text, whole and without special tokens; one that is written in a text is text."""
    return [np.array(ids, np.int32) for ids in whole_ids(tokenizer, texts)]


def _joined(pieces: Sequence[np.ndarray], sep_id: int) -> np.ndarray:
    """All texts one behind the other, with [SEP] between them."""
    parts = [part for ids in pieces if len(ids) for part in (ids, [sep_id])]
    return np.concatenate(parts[:-1]) if parts else np.zeros(0, np.int32)


def _between(inner: np.ndarray, sep_id: int) -> np.ndarray:
    """A window without the [SEP] on its edges, where the row has its own."""
    start = int(len(inner) > 0 and inner[0] == sep_id)
    return inner[start : len(inner) - int(len(inner) > start and inner[-1] == sep_id)]


def scores(features: Features, outputs: Iterable[Outputs]) -> dict[str, float]:
    """The mean loss of the masked pieces, its exponential, and the share of them that is predicted.

    `outputs` has for each row the `logits` (P, V) of its masks, or `mlm_losses` and `mlm_correct`, (P,) each.
    InputError where they are not finite, and where nothing is masked.
    """
    losses, correct = map(np.concatenate, zip(*_each(features, outputs), strict=True))
    if not len(losses):
        raise InputError(
            "A masked language model is scored on what is masked. Received: texts of unknown pieces alone, which are "
            "never masked. Take other texts, or the tokenizer that belongs to them."
        )
    loss = float(losses.mean(dtype=np.float64))
    with np.errstate(over="ignore"):  # a perplexity without bounds is said to be infinite
        perplexity = float(np.exp(np.float64(loss)))
    return {"loss": loss, "perplexity": perplexity, "masked_accuracy": float(correct.mean(dtype=np.float64))}


def _each(features: Features, outputs: Iterable[Outputs]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(P,) losses of each row, and whether its pieces were predicted."""
    rows = zip(features.labels["labels"], outputs, strict=True)
    for number, (labels, row) in enumerate(rows, start=1):
        if "logits" in row:
            losses, correct = _of_logits(row["logits"], np.asarray(labels)[np.asarray(labels) != IGNORED])
        else:
            losses, correct = row["mlm_losses"], row["mlm_correct"]
        if not np.isfinite(losses).all():
            raise not_finite(f"row {number} of {len(features)}")
        yield losses, correct


def _of_logits(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(P, V) and (P,) -> the cross entropy of each, float64, and whether it has the highest score."""
    return -log_probabilities(logits, labels), logits.argmax(axis=-1) == labels
