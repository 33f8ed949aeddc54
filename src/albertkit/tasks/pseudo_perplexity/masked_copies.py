"""Rows in which one piece of a text is masked, as many as the text has pieces: made when they are asked for.

All at once they would take the square of a text's length. Letters: R rows, L tokens of a row.
"""

from collections.abc import Callable, Sequence
from typing import overload

import numpy as np

from albertkit.tasks.features import Features
from albertkit.tasks.pieces import NO_UNIT, Pieces
from albertkit.tasks.windows import best_windows, windows
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json


class LazyRows(Sequence[list[int]]):
    """R rows, each of which `make` gives by its number."""

    def __init__(self, make: Callable[[int], list[int]], count: int) -> None:
        self._make, self._count = make, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> list[int]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[list[int]]: ...
    def __getitem__(self, index: int | slice) -> list[int] | Sequence[list[int]]:
        if isinstance(index, slice):
            return [self[row] for row in range(len(self))[index]]
        return self._make(range(self._count)[index])  # which ends an iteration with IndexError


class MaskedCopies:
    """The windows of texts, and for each row which of them it is a copy of, and what is masked in it."""

    def __init__(self, tokenizer: AlbertTokenizerBase, size: int, shared: int, hides_rest_of_word: bool) -> None:
        """Windows have `size` pieces and share `shared` of them, 0: half."""
        self._tokenizer, self._size = tokenizer, size
        self._shared = shared or size // 2
        self._hides_rest_of_word = hides_rest_of_word
        self._windows: list[list[int]] = []
        self._rows: list[np.ndarray] = []

    def add(self, text: int, pieces: Pieces, is_cut: bool) -> bool:
        """The rows of a text, and whether something of it was cut off."""
        parts = windows(len(pieces), self._size, self._shared) if len(pieces) else []
        used = parts[:1] if is_cut else parts
        words = words_of(pieces)
        best = best_windows(used, len(pieces)) if used else np.zeros(0, np.int64)
        ends = np.append(np.flatnonzero(np.diff(words)) + 1, len(words))
        for number, window in enumerate(used):
            mine = np.arange(window.start, window.stop)
            mine = mine[best[mine] == number]
            stop = ends[np.searchsorted(ends, mine, side="right")] if self._hides_rest_of_word else mine + 1
            columns = mine - window.start + 1, np.minimum(stop, window.stop) - window.start + 1  # behind [CLS]
            same = np.full((2, len(mine)), [[text], [len(self._windows)]])
            targets = np.array([pieces.ids[place] for place in mine], np.int64)
            self._rows.append(np.stack([*same, *columns, targets, words[mine]]))
            inner = list(pieces.ids[window.start : window.stop])
            self._windows.append(self._tokenizer.build_inputs_with_special_tokens(inner))
        return len(used) < len(parts)

    def features(self, whole: Sequence[Json], truncated: int) -> Features:
        """All rows, with `target`, the id that is masked, its `word` and its `window`; `whole` are the ids of texts."""
        rows = np.concatenate([np.zeros((6, 0), np.int64), *self._rows], axis=1)
        text, window, start, stop, target, word = rows
        mask_id, copies = self._tokenizer.mask_token_id, self._windows

        def masked(row: int) -> list[int]:
            ids = copies[window[row]].copy()
            ids[start[row] : stop[row]] = [mask_id] * int(stop[row] - start[row])
            return ids

        places: Json = start[:, None]
        return Features(
            LazyRows(masked, len(text)),
            LazyRows(lambda row: [0] * len(copies[window[row]]), len(text)),
            positions=places,
            example=text.tolist(),
            columns={"target": target, "word": word.tolist(), "window": window.tolist()},
            whole=whole,
            truncated=truncated,
        )


def words_of(pieces: Pieces) -> np.ndarray:
    """(P,) the word of each piece; the sign of a blank that stands alone is of the word behind it."""
    words = pieces.owner.copy()
    for place in range(len(words) - 2, -1, -1):
        if words[place] == NO_UNIT:
            words[place] = words[place + 1]
    return words
