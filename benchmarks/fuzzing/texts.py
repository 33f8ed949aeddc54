"""Random strings through the tokenizers: nothing raises, and what they say of a text agrees with itself."""

import itertools
import random
import unicodedata
from typing import Any

from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer
from fuzzing.folders import DATA, WORDPIECES

WORDS = (
    "the",
    "Cat",
    "SAT",
    "1,000",
    "9,",
    ",",
    "``",
    "''",
    "[MASK]",
    "[CLS]",
    "<pad>",
    "<new>",
    "▁",
    "##s",
    "é",
    "ﬁ",
    "İ",
)
RANGES = ((0x20, 0x7E), (0, 0x1F), (0x80, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x900, 0xDFF), (0x1100, 0x11FF))
RANGES += ((0x2000, 0x206F), (0x2150, 0x218F), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xD800, 0xDFFF))
RANGES += (
    (0xE000, 0xF8FF),
    (0xFB00, 0xFDFF),
    (0xFE00, 0xFEFF),
    (0xFF00, 0xFFFF),
    (0x1F000, 0x1FAFF),
    (0x20000, 0x2FA1F),
)
RANGES += ((0xE0000, 0xE01EF), (0x10FF00, 0x10FFFF))


def text(rng: random.Random) -> str:
    """A string of words, of characters of one script, or of all of them."""
    kind, size = rng.randrange(4), rng.choice((0, 1, 2, 5, 20, 80, 300))
    if kind == 0:
        return rng.choice((" ", "", "  ", "\n", "\u3000")).join(rng.choice(WORDS) for _ in range(size // 3 + 1))
    if kind == 1:
        return "".join(rng.choice("0123456789,,, .") for _ in range(size))
    ranges = [rng.choice(RANGES)] if kind == 2 else RANGES
    return "".join(chr(rng.randint(*rng.choice(ranges))) if rng.random() < 0.8 else " " for _ in range(size))


def tokenizers(folder: Any) -> dict[str, Any]:
    """Every kind of tokenizer, with tokens added to it."""
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("".join(f"{piece}\n" for piece in WORDPIECES), encoding="utf-8")
    made = {
        "slow": AlbertTokenizer(DATA / "spiece.model"),
        "fast": AlbertTokenizerFast(DATA / "spiece.model"),
        "library": AlbertTokenizerFast(tokenizer_file=DATA / "tokenizer.json"),
        "wordpiece": AlbertWordPieceTokenizer(vocabulary),
    }
    for tokenizer in made.values():
        tokenizer.add_tokens(["<new>"])
    return made


def complaints(made: dict[str, Any], text: str) -> list[str]:
    """What is wrong with what the tokenizers make of a text."""
    found, ids = [], {}
    for name, tokenizer in made.items():
        try:
            encoded = tokenizer(text, return_offsets_mapping=True, verbose=False)
            ids[name] = encoded["input_ids"]
            if tokenizer(text, verbose=False)["input_ids"] != ids[name]:
                found.append(f"{name}: other ids with offsets than without")
            offsets = encoded["offset_mapping"][1:-1]
            if not all(0 <= start <= end <= len(text) for start, end in offsets):
                found.append(f"{name}: an offset outside the text")
            if any(left[0] > right[0] for left, right in itertools.pairwise(offsets)):
                found.append(f"{name}: offsets that go back")
            tokenizer.decode(ids[name])
            tokenizer.decode(ids[name], skip_special_tokens=True)
        except Exception as error:
            found.append(f"{name}: {type(error).__name__}: {error!s:.100}")
    if ids.get("slow") != ids.get("fast"):
        found.append("slow and fast: other ids")
    return found


def described(text: str) -> str:
    """A text in names of its first characters, for a message."""
    return " ".join(unicodedata.name(character, f"U+{ord(character):04X}") for character in text[:6])


def faults(folder: Any, count: int, seed: int) -> list[str]:
    """Try so many strings; a line for each that something is wrong with."""
    made, found = tokenizers(folder), []
    for number in range(count):
        one = text(random.Random(f"{seed} text {number}"))
        found += [f"string {number} ({described(one)}): {what}" for what in complaints(made, one)]
    return found
