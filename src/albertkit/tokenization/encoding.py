"""One or two tokenised texts -> one model input: truncation, windows, special tokens. Lists of ids only; no text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from albertkit.errors import InputError
from albertkit.tokenization.text import Span

STRATEGIES = ("longest_first", "only_first", "only_second", "do_not_truncate")


class Tokens(NamedTuple):
    """One tokenised text, without special tokens around it.

    `ids` always; `pieces`, `offsets` (half-open spans of the original text) and `words` (which word a token belongs to)
    only where an alignment was asked for.
    """

    ids: list[int]
    pieces: list[str] | None = None
    offsets: list[Span] | None = None
    words: list[int | None] | None = None

    def cut(self, start: int, stop: int) -> "Tokens":
        """The tokens from `start` to `stop`."""
        part = slice(start, stop)
        return Tokens(
            self.ids[part],
            self.pieces and self.pieces[part],
            self.offsets and self.offsets[part],
            self.words and self.words[part],
        )


Mark = tuple[int, str]
"""A special token: its id and its text."""


@dataclass(slots=True)
class Encoding:
    """A model input: `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]`, and the columns that describe it.

    `special` is [CLS] and [SEP], or None for an input without special tokens. The columns include the padding, if any.
    """

    first: Tokens
    second: Tokens | None
    special: tuple[Mark, Mark] | None
    left: int = 0
    right: int = 0
    filling: Mark = (0, "")

    def pad(self, count: int, side: str, pad_id: int, pad_token: str) -> None:
        """Note that the batch fills this input up with `count` pad tokens."""
        self.left, self.right = (count, 0) if side == "left" else (0, count)
        self.filling = (pad_id, pad_token)

    def __len__(self) -> int:
        around = 0 if self.special is None else 2 if self.second is None else 3
        return (
            self.left + self.right + around + len(self.first.ids) + (0 if self.second is None else len(self.second.ids))
        )

    @property
    def ids(self) -> list[int]:
        """Token ids."""
        cls, sep = self.special or (self.filling, self.filling)
        return self._column("ids", cls[0], sep[0], self.filling[0])

    @property
    def tokens(self) -> list[str]:
        """Token texts."""
        cls, sep = self.special or (self.filling, self.filling)
        return self._column("pieces", cls[1], sep[1], self.filling[1])

    @property
    def offsets(self) -> list[Span]:
        """Spans in the text that a token comes from; (0, 0) for special tokens and padding."""
        return self._column("offsets", (0, 0), (0, 0), (0, 0))

    @property
    def word_ids(self) -> list[int | None]:
        """Word of each token, counted within its text; None for special tokens and padding."""
        return self._column("words", None, None, None)

    @property
    def sequence_ids(self) -> list[int | None]:
        """0 for the first text, 1 for the second, None for special tokens and padding."""
        edge = [None] if self.special else []
        second = [] if self.second is None else [1] * len(self.second.ids) + edge
        return [None] * self.left + edge + [0] * len(self.first.ids) + edge + second + [None] * self.right

    @property
    def type_ids(self) -> list[int]:
        """Token types: 0 for [CLS] first [SEP] and padding, 1 for second [SEP]."""
        edge = 1 if self.special else 0
        second = 0 if self.second is None else len(self.second.ids) + edge
        return [0] * (self.left + len(self.first.ids) + 2 * edge) + [1] * second + [0] * self.right

    @property
    def special_tokens_mask(self) -> list[int]:
        """1 for special tokens and padding, 0 for tokens of the texts."""
        return [int(sequence is None) for sequence in self.sequence_ids]

    @property
    def attention_mask(self) -> list[int]:
        """1 for tokens, 0 for padding."""
        return [0] * self.left + [1] * (len(self) - self.left - self.right) + [0] * self.right

    def _column(self, name: str, cls: Any, sep: Any, filling: Any) -> list[Any]:
        first = getattr(self.first, name)
        second = [] if self.second is None else getattr(self.second, name)
        if self.special is None:
            column = [*first, *second]
        else:
            column = [cls, *first, sep] if self.second is None else [cls, *first, sep, *second, sep]
        return [filling] * self.left + column + [filling] * self.right if self.left or self.right else column


@dataclass(frozen=True)
class Truncation:
    """How inputs are cut: to `max_length` tokens by `strategy`, the rest in windows that overlap by `stride` tokens.

    `fair` chooses between two ways of sharing an odd number of places between two texts under "longest_first": with it
    the first text gets the odd one, else the longer text does.
    """

    strategy: str
    max_length: int
    stride: int = 0
    side: str = "right"
    fair: bool = True


def assemble(
    first: Tokens,
    second: Tokens | None,
    special: tuple[Mark, Mark] | None,
    truncation: Truncation | None,
) -> Iterator[Encoding]:
    """The input made of one or two texts, and after it the windows with what was cut off.

    InputError where the strategy cannot reach the length.
    """
    around = 0 if special is None else 2 if second is None else 3
    total = len(first.ids) + (0 if second is None else len(second.ids))
    if truncation is None or total + around <= truncation.max_length:
        yield Encoding(first, second, special)
        return
    lengths = len(first.ids), 0 if second is None else len(second.ids)
    keep = _keep(lengths, second is not None, truncation, truncation.max_length - around)
    firsts = _windows(first, keep[0], truncation)
    seconds: list[Tokens | None] = [None] if second is None else [*_windows(second, keep[1], truncation)]
    yield Encoding(firsts[0], seconds[0], special)
    for later in firsts[1:]:
        for other in seconds:
            yield Encoding(later, other, special)
    for other in seconds[1:]:
        yield Encoding(firsts[0], other, special)


def _keep(lengths: tuple[int, int], is_pair: bool, truncation: Truncation, budget: int) -> tuple[int, int]:
    """How many tokens of each text a window holds."""
    first, second = lengths
    if truncation.strategy == "longest_first" and is_pair:
        keep = _share(first, second, max(budget, 0), truncation.fair)
    elif truncation.strategy == "only_second":
        keep = first, budget - first
    else:
        keep = budget - second, second
    cut = keep[truncation.strategy == "only_second"]
    if budget < 0 or cut < 0 or (cut == 0 and truncation.strategy != "longest_first"):
        texts = f"texts of {first} and {second} tokens" if is_pair else f"one text of {first} tokens"
        raise InputError(
            f"Truncation {truncation.strategy!r} must leave a token of the text that it cuts, and all of the other. "
            f"Received: {texts} and `max_length` {truncation.max_length}, of which special tokens take "
            f"{truncation.max_length - budget}. Use a greater length or 'longest_first'."
        )
    return keep


def _share(first: int, second: int, budget: int, fair: bool) -> tuple[int, int]:
    """Cut the longer text until both fit into `budget`; once they are equal, cut them in turn."""
    shorter = min(first, second)
    if budget - shorter >= shorter:
        return (budget - second, second) if first > second else (first, budget - first)
    more = budget - budget // 2
    if fair or first > second:
        return more, budget - more
    return budget - more, more


def _windows(tokens: Tokens, keep: int, truncation: Truncation) -> list[Tokens]:
    """Cut into windows of `keep` tokens, each overlapping the one before by the stride."""
    size = len(tokens.ids)
    if size <= keep:
        return [tokens]
    if keep == 0:
        return [tokens.cut(0, 0)]
    if not 0 <= truncation.stride < keep:
        raise InputError(
            "`stride` must be at least 0 and smaller than the number of tokens that a window has room for, or windows "
            f"would not advance. Received: stride {truncation.stride} and room for {keep} under `max_length` "
            f"{truncation.max_length}."
        )
    step = keep - truncation.stride
    starts = range(0, max(size - keep, 0) + step, step)
    if truncation.side == "left":
        return [tokens.cut(max(size - start - keep, 0), size - start) for start in starts]
    return [tokens.cut(start, start + keep) for start in starts]
