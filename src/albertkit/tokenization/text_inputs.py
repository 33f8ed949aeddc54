"""The texts that a tokenizer's call takes: their types, the one form they are brought into, and their tokens.

The names of the types are those of Transformers' `tokenization_utils_base`.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple, TypeGuard, cast

from albertkit.errors import InputError
from albertkit.tokenization.encoding import TokenizedPair, TokenizedText
from albertkit.tokenization.segmenter import Segmenter

TextInput = str
"""One text."""
PreTokenizedInput = Sequence[str]
"""One text as a list of its words."""
TextInputPair = tuple[str, str]
"""Two texts of one model input, such as a question and a paragraph."""
TextInputs = TextInput | PreTokenizedInput | Sequence[TextInput | PreTokenizedInput | TextInputPair]
"""What a call takes: a text, a list of words, or a batch of texts, lists of words or pairs."""


class TextBatch(NamedTuple):
    """The texts of one call: B first texts, and for each its second text or None."""

    firsts: list[TextInput | PreTokenizedInput]
    seconds: list[TextInput | PreTokenizedInput | None]
    is_batch: bool
    """Whether the call gave a list; where it gave a single text, its answer has no batch axis."""
    is_split_into_words: bool
    """Whether each text is a list of its words."""


def arrange(text: TextInputs | None, text_pair: TextInputs | None, is_split_into_words: bool) -> TextBatch:
    """The texts of a call as first and second texts, checked: strings, or lists of words with `is_split_into_words`.

    A row of a batch that is a list of two texts, or of two lists of words, is a pair. InputError for anything that is
    no text, and where a batch of second texts has another length than that of the first.
    """
    firsts, seconds, is_batch = _arrange(text, text_pair, is_split_into_words)
    if len(firsts) != len(seconds):
        raise InputError(
            "A batch needs a second text for each first one. Received: "
            f"{len(firsts)} in `text` and {len(seconds)} in `text_pair`."
        )
    for row in (*firsts, *(second for second in seconds if second is not None)):
        if not (_is_words(row) if is_split_into_words else isinstance(row, str)):
            hint = " Ids are taken by prepare_for_model." if _holds_ids(row) else ""
            raise InputError(
                "A text is a string, and a batch a list of strings; with is_split_into_words=True a text is a list of "
                f"its words. Received: {row!r:.80}.{hint}"
            )
    return TextBatch(firsts, seconds, is_batch, is_split_into_words)


def tokenize(segmenter: Segmenter, batch: TextBatch, align: bool, split_special_tokens: bool) -> list[TokenizedPair]:
    """The tokens of every text or pair of a batch; all texts go to the segmenter at once, which is fastest.

    Tokens carry their offsets and the numbers of their words where `align`. Words of a list are tokenised one by one,
    and offsets are then places in the word.
    """
    texts = [*batch.firsts, *(second for second in batch.seconds if second is not None)]
    if batch.is_split_into_words:
        words = iter(segmenter.encode([word for text in texts for word in text], align, split_special_tokens))
        tokenized = [_join_words(list(itertools.islice(words, len(text))), align) for text in texts]
    else:
        tokenized = segmenter.encode(cast("list[str]", texts), align, split_special_tokens)
    firsts, seconds = tokenized[: len(batch.firsts)], iter(tokenized[len(batch.firsts) :])
    return [
        (first, None if second is None else next(seconds)) for first, second in zip(firsts, batch.seconds, strict=True)
    ]


def _join_words(words: list[TokenizedText], align: bool) -> TokenizedText:
    """The tokens of a list of words as one text, numbered by word. Offsets stay within each word."""
    ids = [index for word in words for index in word.ids]
    if not align:
        return TokenizedText(ids)
    pieces = [piece for word in words for piece in word.pieces or ()]
    offsets = [offset for word in words for offset in word.offsets or ()]
    return TokenizedText(ids, pieces, offsets, [number for number, word in enumerate(words) for _ in word.ids])


def _arrange(
    text: TextInputs | None, text_pair: TextInputs | None, is_split_into_words: bool
) -> tuple[list, list, bool]:
    """First texts, second texts (None where there is none), and whether a batch was given; not checked yet."""
    if not _is_list(text) or (is_split_into_words and not (text and _is_list(text[0]))):
        return [text], [text_pair], False
    if text_pair is not None:
        return list(text), [text_pair] if isinstance(text_pair, str) else list(text_pair), True
    pairs = [tuple(row) if _is_pair(row, is_split_into_words) else (row, None) for row in text]
    return [first for first, _ in pairs], [second for _, second in pairs], True


def _is_pair(row: object, is_split_into_words: bool) -> bool:
    kind = (list, tuple) if is_split_into_words else str
    return _is_list(row) and len(row) == 2 and all(isinstance(text, kind) for text in row)


def _holds_ids(row: object) -> bool:
    return isinstance(row, int) or (_is_list(row) and bool(row) and isinstance(row[0], int))


def _is_list(value: object) -> TypeGuard[list | tuple]:
    return isinstance(value, (list, tuple))


def _is_words(value: object) -> bool:
    return _is_list(value) and all(isinstance(word, str) for word in value)
