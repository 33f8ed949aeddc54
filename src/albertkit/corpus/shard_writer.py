"""Writing shards, and the files beside them that make them a corpus. Reading is in albertkit.corpus.shards."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from albertkit import storage
from albertkit.corpus.append_only import AppendOnlyArray
from albertkit.corpus.layout import (
    ARRAYS,
    CORPUS_FILE,
    FORMAT_VERSION,
    SHARD_FILE,
    TOKENIZER_FOLDER,
    CorpusStatistics,
    InputFile,
    Settings,
    ShardSummary,
)
from albertkit.tokenization.base import AlbertTokenizerBase


class ShardWriter:
    """Writes a shard piece by piece, so that neither a shard nor a document has to fit into memory.

    A context that leaves nothing behind where the shard was not finished. Every method raises CheckpointError where
    writing fails.
    """

    def __init__(self, folder: str | os.PathLike[str], dtype: DTypeLike) -> None:
        """`folder` appears when the shard is finished; until then it is a hidden one beside it. `dtype` of the ids."""
        self._folder = Path(folder)
        self._aside = self._folder.with_name(f".{self._folder.name}")
        with storage.translate_os_errors(self._aside):
            if self._aside.exists():
                shutil.rmtree(self._aside)
            self._aside.mkdir(parents=True)
            self._tokens = AppendOnlyArray(self._aside / "tokens.npy", dtype)
            self._sentences = AppendOnlyArray(self._aside / "sentences.npy", np.int64)
            self._documents = AppendOnlyArray(self._aside / "documents.npy", np.int64)
            self._sentences.append([0])
            self._documents.append([0])
        self._complete = 0, 0  # tokens and sentences up to the end of the last whole document

    @property
    def tokens(self) -> int:
        """Tokens so far."""
        return self._tokens.length

    @property
    def sentences(self) -> int:
        """Sentences so far."""
        return self._sentences.length - 1

    @property
    def documents(self) -> int:
        """Whole documents so far."""
        return self._documents.length - 1

    def add(self, tokens: ArrayLike, sentences: ArrayLike, documents: ArrayLike, *, ends_document: bool = True) -> None:
        """Append documents: ids (T,), tokens of each sentence (S,), sentences of each document (D,).

        Where not `ends_document`, the last document goes on in the next call. One without a sentence is left out.
        """
        with storage.translate_os_errors(self._folder):
            before = self.sentences
            starts = self.tokens + np.cumsum(np.concatenate([[0], sentences]), dtype=np.int64)
            bounds = before + np.cumsum(documents, dtype=np.int64)
            bounds = bounds if ends_document else bounds[:-1]
            bounds = bounds[np.diff(bounds, prepend=self._complete[1]) > 0]
            self._tokens.append(tokens)
            self._sentences.append(starts[1:])
            self._documents.append(bounds)
            if len(bounds):
                self._complete = int(starts[bounds[-1] - before]), int(bounds[-1])

    def drop_open_document(self) -> None:
        """Take back what was added of a document that has not ended."""
        with storage.translate_os_errors(self._folder):
            self._tokens.truncate(self._complete[0])
            self._sentences.truncate(self._complete[1] + 1)

    def finish(self, **remembered: object) -> ShardSummary:
        """Flush the shard to disk, move it into place, and return its summary.

        shard.json holds the summary and, behind it, `remembered`: what the writer wants to read again.
        """
        digest = hashlib.blake2b(digest_size=16)
        with storage.translate_os_errors(self._folder):
            for name, array in zip(ARRAYS, (self._tokens, self._sentences, self._documents), strict=True):
                array.close()
                with (self._aside / f"{name}.npy").open("rb") as file:
                    while block := file.read(2**20):
                        digest.update(block)
            summary: ShardSummary = {
                "name": self._folder.name,
                "tokens": self.tokens,
                "sentences": self.sentences,
                "documents": self.documents,
                "digest": digest.hexdigest(),
            }
            storage.write_json(self._aside / SHARD_FILE, {**summary, **remembered})
            os.rename(self._aside, self._folder)
        return summary

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, *_: object) -> None:
        for array in (self._tokens, self._sentences, self._documents):
            array.discard()
        shutil.rmtree(self._aside, ignore_errors=True)


def dtype_for(tokenizer: AlbertTokenizerBase) -> type[np.uint16] | type[np.uint32]:
    """The type that a tokenizer's ids are stored in: uint16 up to 65,536 tokens, else uint32."""
    return np.uint16 if len(tokenizer) <= 2**16 else np.uint32


def save_tokenizer(folder: str | os.PathLike[str], tokenizer: AlbertTokenizerBase) -> str:
    """Write the tokenizer's files into a corpus, and return the digest of them."""
    tokenizer.save_pretrained(Path(folder) / TOKENIZER_FOLDER)
    return tokenizer_digest(folder)


def tokenizer_digest(folder: str | os.PathLike[str]) -> str:
    """The digest of the tokenizer's files in a corpus: BLAKE2b of 16 bytes over names, sizes and contents."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted((Path(folder) / TOKENIZER_FOLDER).iterdir()):
        if path.is_file() and not path.name.startswith("."):
            digest.update(f"{path.name}:{path.stat().st_size}:".encode() + path.read_bytes())
    return digest.hexdigest()


def write_corpus_file(
    folder: str | os.PathLike[str],
    records: Sequence[ShardSummary],
    settings: Settings,
    statistics: CorpusStatistics,
    inputs: Sequence[InputFile] | None = None,
) -> None:
    """Write corpus.json over finished shards, which makes a folder a corpus.

    `records` begin with what `ShardWriter.finish` returned; `inputs` the files that the corpus was built from, if any.
    """
    shards = [_summary(record) for record in records]
    covered = {"tokenizer": tokenizer_digest(folder), "settings": settings, "shards": [row["digest"] for row in shards]}
    fingerprint = hashlib.blake2b(json.dumps(covered, sort_keys=True).encode(), digest_size=16).hexdigest()
    head = {
        "format": FORMAT_VERSION,
        "fingerprint": fingerprint,
        "tokens": sum(row["tokens"] for row in shards),
        "sentences": sum(row["sentences"] for row in shards),
        "documents": sum(row["documents"] for row in shards),
        "settings": settings,
        "statistics": statistics,
        **({} if inputs is None else {"inputs": list(inputs)}),
        "shards": shards,
    }
    storage.write_json(Path(folder) / CORPUS_FILE, head)


def _summary(record: ShardSummary) -> ShardSummary:
    return {
        "name": record["name"],
        "tokens": record["tokens"],
        "sentences": record["sentences"],
        "documents": record["documents"],
        "digest": record["digest"],
    }
