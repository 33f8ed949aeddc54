"""Learning a vocabulary from text, with the SentencePiece options of the original ALBERT."""

import bz2
import gzip
import io
import lzma
import os
import random
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sentencepiece

from albertkit import storage
from albertkit.errors import InputError
from albertkit.tokenization import files
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.text import Cleaning

CONTROL = ("[CLS]", "[SEP]", "[MASK]")
CHOSEN = ("(", ")", '"', "-", ".", "–", "£", "€")
"""Symbols that are always pieces of their own."""

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}


def train(
    texts: Iterable[str],
    vocab_size: int,
    folder: str | os.PathLike[str],
    *,
    do_lower_case: bool = True,
    keep_accents: bool = False,
    character_coverage: float = 0.99995,
    sentences: int = 10_000_000,
    seed: int = 0,
    exact: bool = True,
    overwrite: bool = False,
) -> AlbertTokenizerFast:
    """Learn a unigram vocabulary from lines of text, save the tokenizer to `folder` as one step, and return it.

    `vocab_size` counts <pad> 0, <unk> 1, [CLS] 2, [SEP] 3, [MASK] 4 and eight symbols. `sentences` is how many lines
    are used at most, drawn by `seed`: the same lines give the same files. Lines are cleaned as the tokenizer cleans
    text. Where the texts cannot fill a vocabulary of that size, InputError names the size that they can fill; without
    `exact` it is taken. A folder that holds a model only gets another tokenizer with `overwrite`.
    """
    folder = Path(folder)
    _require_usable(folder, sentences, character_coverage, overwrite)
    cleaning = Cleaning(do_lower_case, keep_accents=keep_accents)
    drawn = _drawn((line for line in map(cleaning, texts) if line), sentences, seed)
    if not drawn:
        raise InputError("The texts must hold at least one line with something in it. Received: none.")
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(drawn),
            model_writer=model,
            model_type="unigram",
            vocab_size=vocab_size,
            character_coverage=character_coverage,
            pad_id=0,
            unk_id=1,
            bos_id=-1,
            eos_id=-1,
            control_symbols=list(CONTROL),
            user_defined_symbols=list(CHOSEN),
            max_sentence_length=2**30,  # bytes; longer lines would be left out without a word
            hard_vocab_limit=exact,
            minloglevel=2,
        )
    except RuntimeError as error:
        limit = re.search(r"value <= (\d+)", str(error))
        advice = f"They can fill {limit[1]}: pass that or less." if limit else f"SentencePiece says: {error}."
        raise InputError(
            f"The texts must be able to fill the vocabulary. Received: `vocab_size` {vocab_size}. {advice}"
        ) from None
    options: dict[str, Any] = {"do_lower_case": do_lower_case, "keep_accents": keep_accents}
    with storage.replacing(folder, head=files.CONFIG, stale=files.PATTERNS) as staging:
        storage.write_bytes(staging / files.SPIECE, model.getvalue())
        AlbertTokenizerFast(vocab_file=staging / files.SPIECE, **options).write(staging)
    return AlbertTokenizerFast(vocab_file=folder / files.SPIECE, **options)


def _require_usable(folder: Path, sentences: int, character_coverage: float, overwrite: bool) -> None:
    if sentences <= 100:
        raise InputError(f"`sentences` must be more than 100, or a vocabulary means nothing. Received: {sentences}.")
    if not 0.98 <= character_coverage <= 1:
        raise InputError(
            f"`character_coverage` must lie in 0.98..1, the bounds of SentencePiece. Received: {character_coverage}."
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"The output must be a folder. Received: {folder}, which is a file.")
    if (folder / "config.json").exists() and not overwrite:
        raise InputError(
            f"{folder} holds a model, which another tokenizer would not fit. Give another folder, or pass --overwrite."
        )


def _drawn(lines: Iterable[str], most: int, seed: int) -> list[str]:
    """At most so many of the lines, each as likely as any other. SentencePiece draws other lines in every process."""
    drawn: list[str] = []
    draw = random.Random(seed)
    for number, line in enumerate(lines):
        if number < most:
            drawn.append(line)
        elif (place := draw.randrange(number + 1)) < most:
            drawn[place] = line
    return drawn


def lines(paths: Sequence[str | os.PathLike[str]]) -> Iterator[str]:
    """The lines of text files, which may end in .gz, .xz or .bz2. InputError where one is missing or not text."""
    for path in map(Path, paths):
        if not path.is_file():
            raise InputError(f"A text file must be there. Received: {path}, where there is none.")
        try:
            with _OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8") as file:
                yield from file
        except (UnicodeDecodeError, EOFError, OSError, lzma.LZMAError, zlib.error) as error:
            raise InputError(f"{path} must be complete UTF-8 text. Reading it failed: {error}.") from error
