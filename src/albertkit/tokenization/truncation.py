"""Truncation: which tokens of one or two texts fit into a model input, and the windows that hold the rest."""

from collections.abc import Iterator
from dataclasses import dataclass

from albertkit.errors import InputError
from albertkit.tokenization.encoding import Encoding, SpecialToken, TokenizedText

STRATEGIES = ("longest_first", "only_first", "only_second", "do_not_truncate")
"""The names of Transformers: which of two texts is cut."""


@dataclass(frozen=True)
class Truncation:
    """How inputs are cut: to `max_length` tokens by `strategy`, the rest in windows that overlap by `stride` tokens.

    Tokens are cut off at the `side` "left" or "right". `fair` chooses between two ways of sharing an odd number of
    places between two texts under "longest_first": with it the first text gets the odd one, as in Transformers' slow
    tokenizers, else the longer text does, as in the tokenizers library.
    """

    strategy: str
    max_length: int
    stride: int = 0
    side: str = "right"
    fair: bool = True


def build_encodings(
    first: TokenizedText,
    second: TokenizedText | None,
    special_tokens: tuple[SpecialToken, SpecialToken] | None,
    truncation: Truncation | None,
) -> Iterator[Encoding]:
    """The model input made of one or two texts, and after it the windows with what was cut off.

    `special_tokens` are [CLS] and [SEP], or None for none around the texts. Of a pair, both of whose texts are cut,
    every window of the first is combined with every window of the second. InputError where the strategy cannot reach
    the length.
    """
    added = 0 if special_tokens is None else 2 if second is None else 3
    total = len(first.ids) + (0 if second is None else len(second.ids))
    if truncation is None or total + added <= truncation.max_length:
        yield Encoding(first, second, special_tokens)
        return
    lengths = len(first.ids), 0 if second is None else len(second.ids)
    kept = _kept_lengths(lengths, second is not None, truncation, truncation.max_length - added)
    firsts = _windows(first, kept[0], truncation)
    seconds: list[TokenizedText | None] = [None] if second is None else [*_windows(second, kept[1], truncation)]
    yield Encoding(firsts[0], seconds[0], special_tokens)
    for later in firsts[1:]:
        for other in seconds:
            yield Encoding(later, other, special_tokens)
    for other in seconds[1:]:
        yield Encoding(firsts[0], other, special_tokens)


def _kept_lengths(lengths: tuple[int, int], is_pair: bool, truncation: Truncation, budget: int) -> tuple[int, int]:
    """How many tokens of each text a window holds, `budget` together."""
    first, second = lengths
    if truncation.strategy == "longest_first" and is_pair:
        kept = _longest_first(first, second, max(budget, 0), truncation.fair)
    elif truncation.strategy == "only_second":
        kept = first, budget - first
    else:
        kept = budget - second, second
    cut = kept[truncation.strategy == "only_second"]
    if budget < 0 or cut < 0 or (cut == 0 and truncation.strategy != "longest_first"):
        texts = f"texts of {first} and {second} tokens" if is_pair else f"one text of {first} tokens"
        raise InputError(
            f"Truncation {truncation.strategy!r} must leave a token of the text that it cuts, and all of the other. "
            f"Received: {texts} and `max_length` {truncation.max_length}, of which special tokens take "
            f"{truncation.max_length - budget}. Use a greater length or 'longest_first'."
        )
    return kept


def _longest_first(first: int, second: int, budget: int, fair: bool) -> tuple[int, int]:
    """Cut the longer text until both fit into `budget`; once they are equal, cut them in turn."""
    shorter = min(first, second)
    if budget - shorter >= shorter:
        return (budget - second, second) if first > second else (first, budget - first)
    more = budget - budget // 2
    if fair or first > second:
        return more, budget - more
    return budget - more, more


def _windows(text: TokenizedText, length: int, truncation: Truncation) -> list[TokenizedText]:
    """Cut into windows of `length` tokens, each overlapping the one before by the stride."""
    size = len(text.ids)
    if size <= length:
        return [text]
    if length == 0:
        return [text.cut(0, 0)]
    if not 0 <= truncation.stride < length:
        raise InputError(
            "`stride` must be at least 0 and smaller than the number of tokens that a window has room for, or windows "
            f"would not advance. Received: stride {truncation.stride} and room for {length} under `max_length` "
            f"{truncation.max_length}."
        )
    step = length - truncation.stride
    starts = range(0, max(size - length, 0) + step, step)
    if truncation.side == "left":
        return [text.cut(max(size - start - length, 0), size - start) for start in starts]
    return [text.cut(start, start + length) for start in starts]
