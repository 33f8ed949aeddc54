"""What the script of a text says of its words."""

from collections.abc import Sequence


def is_unspaced(character: str) -> bool:
    """Whether a character is of a script that writes no blanks between words: Han, kana, Thai, Lao, Khmer, Burmese."""
    code = ord(character)
    return (
        0x2E80 <= code <= 0x30FF
        or 0x31F0 <= code <= 0x31FF
        or 0x3400 <= code <= 0x9FFF
        or 0xF900 <= code <= 0xFAFF
        or 0xFF66 <= code <= 0xFF9F
        or 0x20000 <= code <= 0x3FFFF
        or 0x0E00 <= code <= 0x0EFF
        or 0x1000 <= code <= 0x109F
        or 0x1780 <= code <= 0x17FF
    )


def are_unspaced(texts: Sequence[str]) -> bool:
    """Whether texts are of such scripts: a third of the first 200 characters of the first 200 of them."""
    text = "".join(one[:200] for one in texts[:200])
    return bool(text) and 3 * sum(map(is_unspaced, text)) >= len(text)
