"""Texts to sentences to ids, in several processes at once, the results in the order of the units."""

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from albertkit.corpus import shards
from albertkit.corpus.sentences import Splitter
from albertkit.corpus.units import Unit
from albertkit.errors import TrainingError
from albertkit.tokenization.fast import AlbertTokenizerFast


class Encoded(NamedTuple):
    """The ids of texts: of each the sentences, and of each sentence the tokens; none is empty."""

    tokens: np.ndarray
    """(T,) uint16 or uint32."""
    sentences: np.ndarray
    """(S,) int64: tokens of each sentence."""
    documents: np.ndarray
    """(D,) int64: sentences of each text; 0 where it has none."""


class Encoder:
    """Encodes texts with the tokenizer in a folder."""

    def __init__(self, tokenizer: Path, splitter: Splitter) -> None:
        self._tokenizer = AlbertTokenizerFast.from_pretrained(tokenizer)
        self._tokenizer.use_one_thread()
        self._split = splitter
        self._dtype = shards.dtype_for(self._tokenizer)

    def __call__(self, texts: Sequence[str]) -> Encoded:
        """The ids of texts."""
        documents = [self._split(text) for text in texts]
        tokens, lengths = self._tokenizer.literal(list(itertools.chain.from_iterable(documents)))
        kept = np.cumsum(lengths > 0)
        ends = np.cumsum([len(sentences) for sentences in documents], dtype=np.int64)
        sizes = np.diff(np.concatenate([[0], kept])[ends], prepend=0)
        return Encoded(tokens.astype(self._dtype), lengths[lengths > 0], sizes)


@contextlib.contextmanager
def encoding(
    tokenizer: Path, splitter: Splitter, processes: int, units: Iterable[Unit]
) -> Generator[Iterator[tuple[Unit, Encoded]]]:
    """Each unit with its ids, in order; made by so many processes, or where it is one, by this one.

    At any time only a few units more than there are processes are held. TrainingError where a process dies.
    """
    if processes == 1:
        encode = Encoder(tokenizer, splitter)
        yield ((unit, encode(unit.texts)) for unit in units)
        return
    # Not forked from a process that may hold threads and locks, but from a fresh one where the system can.
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(processes, context, _begin, (tokenizer, splitter))
    try:
        yield _in_order(pool, units, 2 * processes + 1)
    except BrokenProcessPool:
        raise TrainingError(
            f"Every process must live until the end. One of {processes} died, most likely for lack of memory. Run the "
            "same command again with fewer --workers: it goes on where this one stopped."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, units: Iterable[Unit], most: int) -> Iterator[tuple[Unit, Encoded]]:
    waiting: deque[tuple[Unit, Future[Encoded]]] = deque()
    for unit in units:
        waiting.append((unit, pool.submit(_encode, unit.texts)))
        unit.texts = []
        if len(waiting) >= most:
            first, future = waiting.popleft()
            yield first, future.result()
    while waiting:
        first, future = waiting.popleft()
        yield first, future.result()


# ------------------------------------------------------------------------------------------- in each of the processes

_encoder: Encoder


def _begin(tokenizer: Path, splitter: Splitter) -> None:
    global _encoder
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that reads and writes
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _encoder = Encoder(tokenizer, splitter)


def _end_with_parent() -> None:
    """A parent that was killed cannot say so: without this, its processes would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _encode(texts: Sequence[str]) -> Encoded:
    return _encoder(texts)
