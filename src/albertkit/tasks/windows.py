"""Texts that are longer than a model: cut into windows that share some tokens, and put together again."""

from collections.abc import Sequence

import numpy as np

from albertkit.errors import InputError


def windows(length: int, size: int, shared: int) -> list[range]:
    """The windows of `size` tokens over `length` tokens, each sharing `shared` tokens with the one before it.

    The last may be shorter. A text without tokens has one empty window. InputError where a window has no room for new
    tokens.
    """
    if not 0 <= shared < size:
        raise InputError(
            f"Two windows of a long text must share fewer tokens than one holds, {size}. Received: {shared}. Make "
            "`doc_stride` smaller, or `max_length` larger."
        )
    found = [range(min(size, length))]
    while found[-1].stop < length:
        start = found[-1].stop - shared
        found.append(range(start, min(start + size, length)))
    return found


def best_windows(found: Sequence[range], length: int) -> np.ndarray:
    """(length,) for each token the window that sees most on the narrower of its two sides; the first of equal ones.

    What is beyond the start or end of the text is no loss: there a window sees all there is.
    """
    sight = np.full((len(found), length), -1)
    for number, window in enumerate(found):
        left = np.arange(len(window)) if window.start else np.full(len(window), length)
        right = np.arange(len(window))[::-1] if window.stop < length else np.full(len(window), length)
        sight[number, window.start : window.stop] = np.minimum(left, right)
    return sight.argmax(0)
