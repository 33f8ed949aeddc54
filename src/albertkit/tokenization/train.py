"""Learning a vocabulary from text, with the SentencePiece options of the original release."""

import os
import random
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from albertkit import storage
from albertkit.errors import InputError, abbreviate
from albertkit.pace import SECONDS, Every
from albertkit.tokenization import files
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.learning import MAX_LINE_LENGTH, SPECIAL_TOKENS, learn, split_line
from albertkit.tokenization.learning_process import learn_apart
from albertkit.tokenization.normalizer import AlbertNormalizer

MAX_CHARACTERS = 2_000
"""Characters that a list of them may have: what SentencePiece is given to number them grows with its square."""
LONG = 2_000_000
"""Characters of texts from which on learning takes so long that somebody may want to stop it."""
REPORTED_SHARE = 0.01
"""The share of letters with accents from which on their loss is reported."""


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
    note: Callable[[str], None] = lambda text: None,
) -> AlbertTokenizerFast:
    """Learn a unigram vocabulary from lines of text, save the tokenizer to `folder` as one step, and return it.

    `vocab_size` counts <pad> 0, <unk> 1, [CLS] 2, [SEP] 3, [MASK] 4 and eight symbols. `sentences` is how many lines
    are used at most, drawn by `seed`: the same lines give the same files. Lines are normalized as the tokenizer does
    it. Where the texts cannot fill a vocabulary of that size, InputError names the size that they can fill; without
    `exact` it is taken. A folder that holds a model or a tokenizer only gets another one with `overwrite`. `note` is
    told where many letters lose their accents, where lines of over MAX_LINE_LENGTH characters were split, and how long
    it takes. Over LONG characters are learned in a process of its own, for SentencePiece hears no Ctrl-C.
    """
    folder = Path(folder)
    _require_usable(folder, sentences, character_coverage, overwrite)
    normalizer = AlbertNormalizer(do_lower_case, keep_accents=keep_accents)
    characters: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    lines = (line for line in map(normalizer, _count_characters(_told(texts, note), characters)) if line)
    drawn = _sample((part for line in lines for part in split_line(line, splits)), sentences, seed)
    if splits["lines"]:
        note(
            f"{splits['lines']:,} lines are longer than {MAX_LINE_LENGTH:,} characters and were cut: at spaces, and in "
            f"{splits['words']:,} places within a word"
        )
    if not drawn:
        raise InputError("The texts must hold at least one line with something in it. Received: none.")
    if not keep_accents:
        _report_lost_accents(characters, normalizer, note)
    options = {"vocab_size": vocab_size, "character_coverage": character_coverage, "exact": exact}
    is_long = sum(map(len, drawn)) > LONG
    model = learn_apart(drawn, note, **options) if is_long else learn(drawn, **options)
    return _saved(folder, model, do_lower_case=do_lower_case, keep_accents=keep_accents)


def from_characters(
    characters: Sequence[str], folder: str | os.PathLike[str], *, overwrite: bool = False
) -> AlbertTokenizerFast:
    """A vocabulary of single characters, such as phonemes; save the tokenizer to `folder` and return it.

    Ids: <pad> 0, <unk> 1, [CLS] 2, [SEP] 3, [MASK] 4, then the characters in the order given from 5 on, and last the
    blank that begins a word. Text is neither lower-cased nor decomposed: a character is a code point, and one that is
    not in the list becomes <unk>. InputError for anything else than different characters without white space.
    """
    folder = Path(folder)
    _require_usable(folder, overwrite=overwrite)
    wrong = [text for text in characters if len(text) != 1 or text.isspace() or text == "\u2581"]
    twice = [text for text, count in Counter(characters).items() if count > 1]
    if wrong or twice or not 0 < len(characters) <= MAX_CHARACTERS:
        raise InputError(
            f"A vocabulary of characters must be 1 to {MAX_CHARACTERS:,} different ones, each alone and none of them "
            f"white space. Received: {len(characters)}{f', {abbreviate(wrong[0])} among them' if wrong else ''}"
            f"{f', {abbreviate(twice[0])} twice' if twice else ''}. Blanks between words need no entry."
        )
    # SentencePiece numbers characters by how often they occur.
    text = "".join(text * (len(characters) - number) for number, text in enumerate(characters))
    size = len(characters) + len(SPECIAL_TOKENS) + 3  # <pad>, <unk>, the blank
    options = {"max_sentencepiece_length": 1, "normalization_rule_name": "identity", "user_defined_symbols": []}
    model = learn([text], size, 1.0, **options)
    return _saved(folder, model, do_lower_case=False, keep_accents=True)


def _saved(folder: Path, model: bytes, do_lower_case: bool, keep_accents: bool) -> AlbertTokenizerFast:
    """Write a SentencePiece model and the files of its tokenizer as one step, and read the tokenizer."""
    with storage.atomic_replace(folder, head=files.CONFIG, stale=files.PATTERNS) as staging:
        spiece = staging / files.SPIECE
        storage.write_bytes(spiece, model)
        AlbertTokenizerFast(spiece, do_lower_case=do_lower_case, keep_accents=keep_accents).write(staging)
    return AlbertTokenizerFast(folder / files.SPIECE, do_lower_case=do_lower_case, keep_accents=keep_accents)


def _require_usable(
    folder: Path, sentences: int = 1_000, character_coverage: float = 1.0, overwrite: bool = False
) -> None:
    if sentences <= 100:
        raise InputError(f"`sentences` must be more than 100, or a vocabulary means nothing. Received: {sentences}.")
    if not 0.98 <= character_coverage <= 1:
        raise InputError(
            f"`character_coverage` must lie in 0.98..1, the bounds of SentencePiece. Received: {character_coverage}."
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"The output must be a folder. Received: {folder}, which is a file.")
    if overwrite:
        return
    if (folder / "config.json").exists():
        raise InputError(
            f"{folder} holds a model, which another tokenizer would not fit. Give another folder, or pass --overwrite."
        )
    if found := [name for name in files.PATTERNS if (folder / name).exists()]:
        raise InputError(
            f"A tokenizer is written to a folder without one. {folder} holds {', '.join(found)}. Give another folder, "
            "or pass --overwrite to replace it."
        )


def _sample(lines: Iterable[str], size: int, seed: int) -> list[str]:
    """At most `size` of the lines, each as likely as any other (reservoir sampling).

    SentencePiece's own sampling is not used: it draws other lines in every process.
    """
    drawn: list[str] = []
    draw = random.Random(seed)
    for number, line in enumerate(lines):
        if number < size:
            drawn.append(line)
        elif (place := draw.randrange(number + 1)) < size:
            drawn[place] = line
    return drawn


def _told(
    texts: Iterable[str], note: Callable[[str], None], clock: Callable[[], float] = time.monotonic
) -> Iterator[str]:
    """The same texts, of which `note` is told now and then how many were read."""
    is_time = Every(SECONDS, clock)
    for number, text in enumerate(texts, start=1):
        if is_time():
            note(f"{number:,} lines read.")
        yield text


def _count_characters(texts: Iterable[str], characters: Counter[str]) -> Iterator[str]:
    """The same texts, their characters counted on the way."""
    for text in texts:
        if text.isascii():
            characters["a"] += len(text) - text.count(" ")  # near enough, and a hundred times faster
        else:
            characters.update(text)
        yield text


def _report_lost_accents(characters: Counter[str], normalizer: AlbertNormalizer, note: Callable[[str], None]) -> None:
    """Tell `note` which share of the letters the normalizer changes, where that is large."""
    letters = sum(count for character, count in characters.items() if character.isalpha())
    marked = Counter({c: n for c, n in characters.items() if any(map(unicodedata.combining, _decomposed(c)))})
    share = marked.total() / max(letters, 1)
    if share > REPORTED_SHARE:
        one = marked.most_common(1)[0][0]
        bare = normalizer(one)
        example = f"{one}, which becomes {bare}" if bare else unicodedata.name(one, f"U+{ord(one):04X}")
        note(f"{share:.1%} of the letters lose a mark, such as {example}: --keep-accents keeps them")


def _decomposed(character: str) -> str:
    return unicodedata.normalize("NFKD", character)
