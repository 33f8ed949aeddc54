"""What answers blocks in a process of its own. Imports nothing that reads the number of threads when it is imported."""

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from albertkit.prediction import limits

if TYPE_CHECKING:
    from albertkit.prediction.answering import Finished
    from albertkit.prediction.cutting import Block


def make_answerer(settings: bytes, threads: int | None) -> "Callable[[Block], Finished]":
    """The answers of a pickled `Answering` in so many threads, with what is logged on the way in them."""
    if threads:
        limits.limit(threads)
    from albertkit.prediction.answering import Answerer  # what it imports reads that

    loaded: Any = pickle.loads(settings)  # noqa: S301 - by the process that began this one
    return Answerer(loaded).noted
