"""Texts to sentences to ids, in several processes at once, the results in the order of the batches."""

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

from albertkit.corpus import shard_writer
from albertkit.corpus.document_batches import DocumentBatch
from albertkit.corpus.sentences import SentenceSplitter
from albertkit.errors import TrainingError
from albertkit.tokenization.fast import AlbertTokenizerFast


class EncodedDocuments(NamedTuple):
    """The ids of texts: of each the sentences, and of each sentence the tokens; no sentence is empty."""

    tokens: np.ndarray
    """(T,) uint16 or uint32."""
    sentences: np.ndarray
    """(S,) int64: tokens of each sentence."""
    documents: np.ndarray
    """(D,) int64: sentences of each text; 0 where it has none."""


class DocumentEncoder:
    """Encodes texts with a tokenizer from a folder, in one thread: there are as many processes as cores already."""

    def __init__(self, tokenizer: Path, splitter: SentenceSplitter) -> None:
        """`tokenizer` is the folder."""
        self._tokenizer = AlbertTokenizerFast.from_pretrained(tokenizer)
        self._tokenizer.use_one_thread()
        self._split = splitter
        self._dtype = shard_writer.dtype_for(self._tokenizer)

    def __call__(self, texts: Sequence[str]) -> EncodedDocuments:
        """The ids of texts. Special tokens that a text spells out are encoded as text."""
        documents = [self._split(text) for text in texts]
        tokens, lengths = self._tokenizer.raw(list(itertools.chain.from_iterable(documents)))
        # A sentence without a token, such as a lone accent, is left out: `kept` counts the others up to each sentence,
        # so its differences between the ends of documents are the sentences that each document keeps.
        kept = np.cumsum(lengths > 0)
        ends = np.cumsum([len(sentences) for sentences in documents], dtype=np.int64)
        sizes = np.diff(np.concatenate([[0], kept])[ends], prepend=0)
        return EncodedDocuments(tokens.astype(self._dtype), lengths[lengths > 0], sizes)


EncodedBatches = Iterator[tuple[DocumentBatch, EncodedDocuments]]


@contextlib.contextmanager
def encode_batches(
    tokenizer: Path, splitter: SentenceSplitter, processes: int, batches: Iterable[DocumentBatch]
) -> Generator[EncodedBatches]:
    """Each batch with its ids, in order; made by so many processes, or where it is one, by this one.

    At any time only a few batches more than there are processes are held. TrainingError where a process dies.
    """
    if processes == 1:
        encode = DocumentEncoder(tokenizer, splitter)
        yield ((batch, encode(batch.texts)) for batch in batches)
        return
    # Not forked from a process that may hold threads and locks, but from a fresh one where the system can.
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(processes, context, _start_process, (tokenizer, splitter))
    try:
        yield _encode_in_order(pool, batches, 2 * processes + 1)
    except BrokenProcessPool:
        raise TrainingError(
            f"Every process must live until the end. One of {processes} died, most likely for lack of memory. Run the "
            "same command again with fewer --workers: it goes on where this one stopped."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _encode_in_order(pool: ProcessPoolExecutor, batches: Iterable[DocumentBatch], max_waiting: int) -> EncodedBatches:
    waiting: deque[tuple[DocumentBatch, Future[EncodedDocuments]]] = deque()
    for batch in batches:
        waiting.append((batch, pool.submit(_encode, batch.texts)))
        batch.texts = []  # they are with the process that encodes them
        if len(waiting) >= max_waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    while waiting:
        first, future = waiting.popleft()
        yield first, future.result()


_encoder: DocumentEncoder
"""Of each of the processes; set by `_start_process`."""


def _start_process(tokenizer: Path, splitter: SentenceSplitter) -> None:
    global _encoder
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that reads and writes
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    _encoder = DocumentEncoder(tokenizer, splitter)


def _exit_with_parent() -> None:
    """A parent that was killed cannot say so: without this, its processes would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _encode(texts: Sequence[str]) -> EncodedDocuments:
    return _encoder(texts)
