"""Fill-mask: the best tokens for each [MASK] of a text.

Letters: P masks, V vocabulary, K answers a mask.
"""

from collections.abc import Iterable, Iterator, Sequence
from io import BufferedReader
from typing import ClassVar

import numpy as np

from albertkit.backends import Outputs
from albertkit.config import AlbertConfig
from albertkit.errors import InputError, abbreviate
from albertkit.tasks import texts
from albertkit.tasks.base import Task
from albertkit.tasks.features import Features, not_finite, require_finite
from albertkit.tasks.inputs import require_count
from albertkit.tasks.texts import TextExamples, TextOptions
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.sentencepiece_segmenter import UNDERLINE
from albertkit.typing import Json, Record

_BLANK = f"{UNDERLINE} "


class FillMask(Task[TextExamples, TextOptions]):
    """The best tokens for each [MASK] of a text, by the head that masked-language-model pre-training made."""

    name = "fill-mask"
    head = "ForMaskedLM"
    heads = ("ForMaskedLM", "ForPreTraining")
    options = TextOptions
    answer_options: ClassVar = {"top_k": 5, "targets": None}
    batch_tokens = 1024  # each may be a mask, and have scores for the whole vocabulary

    def examples(self, *inputs: Json) -> tuple[TextExamples, bool]:
        """Texts; a single one where it is a string. InputError for pairs."""
        return texts.given(*inputs)

    def stream(self, source: str | BufferedReader, options: TextOptions) -> Iterator[TextExamples]:
        """The texts of a file or of lines, in parts; see `texts.stream`."""
        return texts.stream(source, options)

    def encode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: TextExamples,
        options: TextOptions,
        labelled: bool = False,
    ) -> Features:
        """Texts -> ids, token types and the positions of masks. What is cut is counted.

        InputError names the texts in which no mask is left, and for pairs of texts.
        """
        if examples.second is not None:
            raise InputError("A mask is filled in one text. Received: a pair. Join its texts, or leave one out.")
        if tokenizer.mask_token is None:
            raise InputError(
                "Filling in needs a tokenizer with a mask token. Received: one without. Pass mask_token to it."
            )
        encoded = tokenizer(examples.first, truncation=True, max_length=options.max_length)
        ids, mask_id = encoded["input_ids"], tokenizer.mask_token_id
        positions = [[place for place, token in enumerate(row) if token == mask_id] for row in ids]
        without = [number for number, found in enumerate(positions) if not found]
        if without:
            _refuse(tokenizer.mask_token, examples.first, without, options.max_length)
        truncated = sum(count > 0 for count in encoded.truncated)
        return Features(ids, encoded["token_type_ids"], positions=positions, truncated=truncated)

    def decode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: TextExamples,
        features: Features,
        outputs: Iterable[Outputs],
        **options: Json,
    ) -> list[Json]:
        """The `top_k` best answers for each text; with `targets`, among these words alone.

        A list of {"score", "token", "token_str", "sequence"}, best first, or a list of such lists where a text has
        several masks; see `answer`. InputError for a target that is no single piece of the vocabulary.
        """
        words, top_k = options.get("targets"), options.get("top_k")
        top_k = self.answer_options["top_k"] if top_k is None else top_k
        require_count("top_k", top_k)
        size = min(len(tokenizer), config.vocab_size)
        allowed = words_of(tokenizer, size) if words is None else np.array(targets(tokenizer, words))  # once for all
        found = []
        for ids, positions, row in zip(features.input_ids, features.positions or (), outputs, strict=True):
            if not np.isfinite(row["logits"]).all():
                raise not_finite(f"number {len(found) + 1} of {len(examples)} texts")
            found.append(answer(tokenizer, ids, positions, *best(row["logits"], allowed, top_k)))
        return found

    def arranged(self, answers: list[Json], is_single: bool, inputs: Json, options: Record) -> Json:
        """The answers as Transformers arranges them: those of a list of one text are not in a list once more."""
        return answers[0] if is_single or (isinstance(inputs, list) and len(inputs) == 1) else answers


def _refuse(mask: str, found: Sequence[str], without: Sequence[int], max_length: int) -> None:
    first = found[without[0]]
    way_out = f"Write {mask} in its place."
    if mask in first:
        way_out = f"Its {mask} was cut off with all beyond {max_length} tokens: shorten the text."
    shown = first if len(first) <= 60 else f"{first[:57]}..."
    which = f"{len(without)} of {len(found)} without, the first of them number {without[0] + 1}"
    raise InputError(
        f"A text must hold {mask} where a word is wanted. Received: "
        f"{which if len(found) > 1 else 'one without'}, {shown!r}. {way_out}"
    )


def words_of(tokenizer: AlbertTokenizerBase, size: int) -> np.ndarray:
    """The ids below `size` that say something, in order: all but the mark of a word's start alone.

    Before a sign that no space precedes, such as a full stop, models give that mark most of the probability, for it
    leaves the word open. It is no word, and its text is empty.
    """
    blank = {index for token, index in tokenizer.get_vocab().items() if not token.strip(_BLANK)}
    return np.array([index for index in range(size) if index not in blank])


def targets(tokenizer: AlbertTokenizerBase, words: str | Sequence[str]) -> list[int]:
    """The ids of the words that may be answered, each once.

    A target is a word, as it stands alone in a text, or a piece of the vocabulary as it is written there. InputError
    names those that are several pieces or none.
    """
    words = [words] if isinstance(words, str) else words
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        raise InputError(f"`targets` must be a word or a list of words. Received: {abbreviate(words)}.")
    vocabulary = tokenizer.get_vocab()
    found, wrong = [], []
    for word in words:
        pieces = tokenizer.tokenize(word)
        if not word.strip(_BLANK):
            wrong.append(f"{word!r} (a space alone)" if word else "'' (none)")
        elif len(pieces) == 1 and pieces[0] != tokenizer.unk_token:
            found.append(vocabulary[pieces[0]])
        elif word in vocabulary:
            found.append(vocabulary[word])
        else:
            wrong.append(f"{word!r} ({' '.join(pieces) or 'none'})")
    if wrong or not words:
        raise InputError(
            "A target must be one piece of the vocabulary, for a mask stands for one. Received: "
            f"{', '.join(wrong) or 'no target'}. Ask for other words, or write a mask for each piece."
        )
    return list(dict.fromkeys(found))


def best(logits: np.ndarray, allowed: Sequence[int] | np.ndarray, top_k: int) -> tuple[np.ndarray, np.ndarray]:
    """(P, V) logits -> probabilities (P, K) float64 and ids (P, K) of the best of the allowed ids, best first.

    Probabilities are those among the whole vocabulary. InputError where logits are not finite, or `top_k` is below 1.
    """
    require_count("top_k", top_k)
    require_finite(logits)
    peak = logits.max(axis=-1, keepdims=True)
    total = np.exp(logits - peak).sum(axis=-1, keepdims=True, dtype=np.float64)
    ids = np.asarray(allowed)
    scores = logits[:, ids]
    if top_k < len(ids):
        chosen = np.argpartition(-scores, top_k - 1, axis=-1)[:, :top_k]
        ids, scores = ids[chosen], np.take_along_axis(scores, chosen, axis=-1)
    else:
        ids = np.broadcast_to(ids, scores.shape)
    order = np.lexsort((ids, -scores), axis=-1)  # of equal scores the lower id first
    ids, scores = np.take_along_axis(ids, order, axis=-1), np.take_along_axis(scores, order, axis=-1)
    return np.exp(scores.astype(np.float64) - peak) / total, ids


def answer(
    tokenizer: AlbertTokenizerBase,
    input_ids: Sequence[int],
    columns: Sequence[int],
    scores: np.ndarray,
    ids: np.ndarray,
) -> list[Record] | list[list[Record]]:
    """The answer for a text of `input_ids` whose masks stand at `columns`, from a row of `best` for each of them.

    A list of {"score", "token", "token_str", "sequence"}, best first, or a list of such lists where there are several
    masks. Then a sequence has one mask filled, and shows the special tokens.
    """
    answers = []
    for column, row_scores, row_ids in zip(columns, scores, ids, strict=True):
        ranked = []
        for score, token in zip(row_scores.tolist(), row_ids.tolist(), strict=True):
            filled = [*input_ids]
            filled[column] = token
            ranked.append(
                {
                    "score": score,
                    "token": token,
                    "token_str": tokenizer.decode([token]),
                    "sequence": tokenizer.decode(filled, skip_special_tokens=len(columns) == 1),
                }
            )
        answers.append(ranked)
    return answers[0] if len(answers) == 1 else answers
