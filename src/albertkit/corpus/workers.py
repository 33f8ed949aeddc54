"""Texts to sentences to ids, by several workers at once, the results in the order of the batches."""

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from albertkit.corpus import shard_writer
from albertkit.corpus.document_batches import DocumentBatch
from albertkit.corpus.sentences import SentenceSplitter
from albertkit.ordered_map import Workers
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


def encode_batches(
    tokenizer: Path, splitter: SentenceSplitter, workers: Workers, batches: Iterable[DocumentBatch]
) -> AbstractContextManager[EncodedBatches]:
    """Each batch with its ids, in order; see `Workers.map`. `tokenizer` is a folder that every worker can read."""
    return workers.map(functools.partial(DocumentEncoder, tokenizer, splitter), _taken(batches))


def _taken(batches: Iterable[DocumentBatch]) -> Iterator[tuple[DocumentBatch, list[str]]]:
    """Batches and their texts, which are with the worker that encodes them from then on."""
    for batch in batches:
        texts, batch.texts = batch.texts, []
        yield batch, texts
