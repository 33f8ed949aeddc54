"""Lines of text -> a SentencePiece model, with the options of the original release."""

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import sentencepiece

from albertkit.errors import InputError
from albertkit.typing import Json

SPECIAL_TOKENS = ("[CLS]", "[SEP]", "[MASK]")
USER_DEFINED_SYMBOLS = ("(", ")", '"', "-", ".", "–", "£", "€")
"""Symbols that are always pieces of their own."""
MAX_LINE_LENGTH = 10_000
"""Characters of a line that SentencePiece is given: time grows faster than the length of one stretch without spaces."""


def learn(
    lines: Iterable[str],
    vocab_size: int,
    character_coverage: float = 0.99995,
    exact: bool = True,
    *,
    pad: str = "<pad>",
    unknown: str = "<unk>",
    special: Sequence[str] = SPECIAL_TOKENS,
    **options: Json,
) -> bytes:
    """The SentencePiece model of some lines, with `pad` 0, `unknown` 1 and the other `special` tokens behind them.

    Without `exact` fewer entries than `vocab_size` will do. Other `options` of SentencePiece take the place of those of
    the original. InputError where the lines cannot give a vocabulary of that size.
    """
    options = {"user_defined_symbols": list(USER_DEFINED_SYMBOLS), **options}
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=model,
            model_type="unigram",
            vocab_size=vocab_size,
            character_coverage=character_coverage,
            pad_id=0,
            unk_id=1,
            bos_id=-1,
            eos_id=-1,
            pad_piece=pad,
            unk_piece=unknown,
            control_symbols=list(special),
            max_sentence_length=2**30,  # bytes; longer lines would be left out without a word
            hard_vocab_limit=exact,
            minloglevel=2,
            **options,
        )
    except RuntimeError as error:
        if least := re.search(r"\d+ vs (\d+)\. Increase vocab_size", str(error)):
            raise InputError(
                f"A vocabulary must have room for every character of the texts. Received: `vocab_size` {vocab_size}. "
                f"With special tokens and symbols they take {least[1]}: pass that or more, or a lower coverage."
            ) from None
        limit = re.search(r"value <= (\d+)", str(error))
        advice = f"They can fill {limit[1]}: pass that or less." if limit else f"SentencePiece says: {error}"
        raise InputError(
            f"The texts must be able to fill the vocabulary. Received: `vocab_size` {vocab_size}. {advice}"
        ) from None
    return model.getvalue()


def split_line(line: str, splits: Counter[str]) -> Iterator[str]:
    """A line in parts of at most MAX_LINE_LENGTH characters, split at spaces where there are any; splits are counted.

    A split at a space changes next to nothing, for SentencePiece learns from words: at most the order of near ties.
    """
    splits["lines"] += len(line) > MAX_LINE_LENGTH
    start = 0
    while len(line) - start > MAX_LINE_LENGTH:
        place = line.rfind(" ", start + 1, start + MAX_LINE_LENGTH + 1)
        splits["words"] += place < 0
        end = start + MAX_LINE_LENGTH if place < 0 else place
        yield line[start:end]
        start = end + (place >= 0)
    yield line[start:]
