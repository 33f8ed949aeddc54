"""A corpus of token ids on disk: written shard by shard, read by memory map. Knows ids, no text.

    corpus/
      corpus.json          written last: fingerprint, settings, statistics, and the shards in order
      tokenizer/           the files of the tokenizer that made the ids
      shard-00000/         whole documents, no special tokens
        tokens.npy         (T,) uint16, or uint32 where the tokenizer has more than 65,536 tokens
        sentences.npy      (S + 1,) int64: where each sentence begins in tokens, and the end of the last
        documents.npy      (D + 1,) int64: the first sentence of each document, and the end of the last
        shard.json         counts, a digest of the arrays, and what the writer wants to remember

No sentence and no document is empty. A shard is written aside and renamed, so one that is there is complete.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from albertkit import storage
from albertkit.corpus.append_only import Growing
from albertkit.errors import InputError, TokenIdError
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.fast import AlbertTokenizerFast

HEAD = "corpus.json"
TOKENIZER = "tokenizer"
RECORD = "shard.json"
FORMAT = 1
SHARD_TOKENS = 2**24
"""Tokens after which a shard ends with its document."""

_ARRAYS = ("tokens", "sentences", "documents")


@dataclass(frozen=True)
class Shard:
    """Whole documents as ids, mapped from disk."""

    tokens: np.ndarray
    """(T,) uint16 or uint32, without special tokens."""
    sentences: np.ndarray
    """(S + 1,) int64: sentence s is tokens[sentences[s] : sentences[s + 1]]."""
    documents: np.ndarray
    """(D + 1,) int64: document d is the sentences documents[d] to documents[d + 1], the last not included."""

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> "Shard":
        """Map the three arrays of a shard's folder. InputError where one is missing or cut short."""
        try:
            shard = cls(*(np.load(Path(folder) / f"{name}.npy", mmap_mode="r") for name in _ARRAYS))
        except (OSError, ValueError, EOFError) as error:
            raise InputError(
                f"A shard must hold {', '.join(_ARRAYS)} as complete .npy files. Reading {folder} failed: {error}. "
                "If a copy was cut short, repeat it."
            ) from error
        if int(shard.sentences[-1]) != len(shard.tokens) or int(shard.documents[-1]) != len(shard.sentences) - 1:
            raise InputError(
                f"The arrays of a shard must belong together. Those of {folder} do not: repeat the copy or the build."
            )
        return shard

    def part(self, first: int, last: int) -> "Shard":
        """Documents `first` to `last`, the last not included, as a shard of their own, mapped still if `first` is 0."""
        sentences = slice(int(self.documents[first]), int(self.documents[last]) + 1)
        tokens = slice(int(self.sentences[sentences][0]), int(self.sentences[sentences][-1]))
        return Shard(
            self.tokens[tokens],
            self.sentences[sentences] - tokens.start if first else self.sentences[sentences],
            self.documents[first : last + 1] - sentences.start if first else self.documents[: last + 1],
        )


def _require_head(file: Path, head: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a head, one a shard. InputError where the head is not as `publish` writes it."""
    kinds = {"fingerprint": str, "statistics": dict, "settings": dict, "shards": list}
    kinds |= dict.fromkeys(("tokens", "sentences", "documents"), int)
    wrong = [key for key, kind in kinds.items() if not isinstance(head.get(key), kind)]
    rows = head.get("shards")
    if not wrong and not all(
        isinstance(row, dict) and row.get("name") == name_of(number) and isinstance(row.get("tokens"), int)
        for number, row in enumerate(rows or [])
    ):
        wrong = ["shards"]
    if wrong:
        raise InputError(
            f"{file} must be as the build of a corpus wrote it. Missing or of another kind: {', '.join(wrong)}. Repeat "
            "the copy, or build the corpus anew."
        )
    return rows or []


class Corpus:
    """A finished corpus, its shards mapped from disk.

    Travels between processes as its folder; one side of a split, which no folder holds, as a copy of its arrays.
    """

    def __init__(self, folder: Path, head: Mapping[str, Any], shards: Sequence[Shard]) -> None:
        """See `open`."""
        self.folder = folder
        self.shards = tuple(shards)
        self.head = dict(head)
        self.fingerprint: str = head["fingerprint"]
        """Of the tokenizer's files, the settings, and the arrays of every shard."""
        self.statistics: dict[str, Any] = head["statistics"]
        self.tokens: int = head["tokens"]
        self.sentences: int = head["sentences"]
        self.documents: int = head["documents"]

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> "Corpus":
        """Open a corpus. InputError where there is none, or it is unfinished or damaged."""
        folder = Path(folder)
        if not (folder / HEAD).is_file():
            begun = any(folder.glob("shard-*")) or (folder / TOKENIZER).is_dir()
            advice = (
                "Its build was cut off: run the same command again and it goes on."
                if begun
                else "Make one with: albertkit corpus build."
            )
            raise InputError(f"A corpus is a folder with {HEAD}. {folder} holds none. {advice}")
        head = storage.read_json(folder / HEAD)
        if head.get("format") != FORMAT:
            raise InputError(
                f"{folder / HEAD} must be of format {FORMAT}. It is of {head.get('format')!r}, of another release of "
                "albertkit: build the corpus anew with this one."
            )
        rows = _require_head(folder / HEAD, head)
        shards = [Shard.open(folder / row["name"]) for row in rows]
        for row, shard in zip(rows, shards, strict=True):
            if len(shard.tokens) != row["tokens"]:
                raise InputError(
                    f"Shard {row['name']} of {folder} must have {row['tokens']} tokens, as {HEAD} says. It has "
                    f"{len(shard.tokens)}: repeat the copy or the build."
                )
        return cls(folder, head, shards)

    def split(self, part: float) -> "tuple[Corpus, Corpus]":
        """All but the last documents of shards, and these: at most `part` of the tokens, but at least a document.

        Where the last document of a shard is longer than its share, later shards give so much more. Every shard keeps
        a document. InputError where all have only one.
        """
        behind = [len(shard.tokens) - shard.sentences[shard.documents] for shard in self.shards]
        cuts, owed = [], 0.0
        for tokens in behind:  # from the start of each document to the end of the shard
            owed += part * tokens[0]
            cuts.append(max(int(np.count_nonzero(tokens > owed)), 1))
            owed -= tokens[cuts[-1]]
        if not any(tokens[cut] for tokens, cut in zip(behind, cuts, strict=True)):
            last = [(tokens[-2], number) for number, tokens in enumerate(behind) if len(tokens) > 2]
            if not last:
                raise InputError(
                    f"Holding out a part needs a shard of two documents. Those of {self.folder} have one each. Build "
                    "another corpus to evaluate on."
                )
            cuts[min(last)[1]] -= 1
        ends = [len(shard.documents) - 1 for shard in self.shards]
        kept = [shard.part(0, cut) for shard, cut in zip(self.shards, cuts, strict=True)]
        held_out = [shard.part(cut, end) for shard, cut, end in zip(self.shards, cuts, ends, strict=True) if cut < end]
        return self._of(kept), self._of(held_out)

    def _of(self, shards: Sequence[Shard]) -> "Corpus":
        counts = {
            "tokens": sum(len(shard.tokens) for shard in shards),
            "sentences": sum(len(shard.sentences) - 1 for shard in shards),
            "documents": sum(len(shard.documents) - 1 for shard in shards),
        }
        return Corpus(self.folder, {**self.head, **counts}, shards)

    def tokenizer(self) -> AlbertTokenizerBase:
        """The tokenizer that made the ids; an AlbertWordPieceTokenizer where it was one."""
        return AlbertTokenizerFast.from_pretrained(self.folder / TOKENIZER)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.tokens != sum(row["tokens"] for row in self.head["shards"]):  # one side of a split
            return Corpus, (self.folder, self.head, self.shards)
        return Corpus.open, (self.folder,)

    def __repr__(self) -> str:
        return f"Corpus({self.folder}: {self.documents:,} documents, {self.tokens:,} tokens)"


class ShardWriter:
    """Writes a shard piece by piece, so that neither a shard nor a document has to fit into memory.

    As a context it leaves nothing behind where it was not finished.
    """

    def __init__(self, folder: str | os.PathLike[str], dtype: np.dtype[Any] | type[np.unsignedinteger[Any]]) -> None:
        """`folder` appears when the shard is finished; until then it is a hidden one beside it."""
        self._folder = Path(folder)
        self._aside = self._folder.with_name(f".{self._folder.name}")
        with storage.explained(self._aside):
            if self._aside.exists():
                shutil.rmtree(self._aside)
            self._aside.mkdir(parents=True)
            self._tokens = Growing(self._aside / "tokens.npy", dtype)
            self._sentences = Growing(self._aside / "sentences.npy", np.int64)
            self._documents = Growing(self._aside / "documents.npy", np.int64)
            self._sentences.append([0])
            self._documents.append([0])
        self._closed = 0, 0  # tokens and sentences up to the end of the last whole document

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

    def add(self, tokens: Any, sentences: Any, documents: Any, *, ended: bool = True) -> None:
        """Append documents: ids (T,), tokens of each sentence (S,), sentences of each document (D,).

        Where not `ended`, the last document goes on in the next call. A document without a sentence is left out.
        """
        with storage.explained(self._folder):
            before = self.sentences
            starts = self.tokens + np.cumsum(np.concatenate([[0], sentences]), dtype=np.int64)
            bounds = before + np.cumsum(documents, dtype=np.int64)
            bounds = bounds if ended else bounds[:-1]
            bounds = bounds[np.diff(bounds, prepend=self._closed[1]) > 0]
            self._tokens.append(tokens)
            self._sentences.append(starts[1:])
            self._documents.append(bounds)
            if len(bounds):
                self._closed = int(starts[bounds[-1] - before]), int(bounds[-1])

    def drop(self) -> None:
        """Take back what was added of a document that has not ended."""
        with storage.explained(self._folder):
            self._tokens.cut(self._closed[0])
            self._sentences.cut(self._closed[1] + 1)

    def finish(self, **remembered: Any) -> dict[str, Any]:
        """Flush the shard to disk, move it into place, and return its record: name, counts, digest, `remembered`."""
        counts = {"tokens": self.tokens, "sentences": self.sentences, "documents": self.documents}
        digest = hashlib.blake2b(digest_size=16)
        with storage.explained(self._folder):
            for name in _ARRAYS:
                getattr(self, f"_{name}").close()
                with (self._aside / f"{name}.npy").open("rb") as file:
                    while block := file.read(2**20):
                        digest.update(block)
            record = {"name": self._folder.name, **counts, "digest": digest.hexdigest(), **remembered}
            storage.write_json(self._aside / RECORD, record)
            os.rename(self._aside, self._folder)
        return record

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, *_: object) -> None:
        for array in (self._tokens, self._sentences, self._documents):
            array.discard()
        shutil.rmtree(self._aside, ignore_errors=True)


def dtype_for(tokenizer: AlbertTokenizerBase) -> type[np.uint16] | type[np.uint32]:
    """The type that a tokenizer's ids are stored in."""
    return np.uint16 if len(tokenizer) <= 2**16 else np.uint32


def save_tokenizer(folder: str | os.PathLike[str], tokenizer: AlbertTokenizerBase) -> str:
    """Write the tokenizer's files into a corpus, and return the digest of them."""
    tokenizer.save_pretrained(Path(folder) / TOKENIZER)
    return tokenizer_digest(folder)


def tokenizer_digest(folder: str | os.PathLike[str]) -> str:
    """The digest of the tokenizer's files in a corpus."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted((Path(folder) / TOKENIZER).iterdir()):
        if path.is_file() and not path.name.startswith("."):
            digest.update(f"{path.name}:{path.stat().st_size}:".encode() + path.read_bytes())
    return digest.hexdigest()


def publish(
    folder: str | os.PathLike[str],
    records: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    statistics: Mapping[str, Any],
    **notes: Any,
) -> Corpus:
    """Write corpus.json over finished shards and open the corpus. `records` are what `ShardWriter.finish` returned."""
    keys = ("name", "tokens", "sentences", "documents", "digest")
    rows = [{key: record[key] for key in keys} for record in records]
    covered = {"tokenizer": tokenizer_digest(folder), "settings": settings, "shards": [row["digest"] for row in rows]}
    fingerprint = hashlib.blake2b(json.dumps(covered, sort_keys=True).encode(), digest_size=16).hexdigest()
    totals = {key: sum(row[key] for row in rows) for key in ("tokens", "sentences", "documents")}
    head = {"format": FORMAT, "fingerprint": fingerprint, **totals, "settings": settings, "statistics": statistics}
    storage.write_json(Path(folder) / HEAD, {**head, **notes, "shards": rows})
    return Corpus.open(folder)


def write(
    folder: str | os.PathLike[str],
    tokenizer: AlbertTokenizerBase,
    documents: Iterable[Sequence[Sequence[int]]],
    *,
    shard_tokens: int = SHARD_TOKENS,
) -> Corpus:
    """Write a corpus of documents that are ids already: each a list of sentences, each of these a list of ids.

    InputError where the folder holds a corpus or the documents no token; TokenIdError for ids that the tokenizer lacks.
    """
    folder = Path(folder)
    if (folder / HEAD).exists() or any(folder.glob("shard-*")):
        raise InputError(
            f"A corpus is written to a folder without one. Received: {folder}, which holds one, or shards of one that "
            "was cut off."
        )
    save_tokenizer(folder, tokenizer)
    records: list[dict[str, Any]] = []
    source = iter(documents)
    number, ended = 1, False
    while not ended:
        with ShardWriter(folder / name_of(len(records)), dtype_for(tokenizer)) as writer:
            while writer.tokens < shard_tokens and not ended:
                document = next(source, None)
                ended = document is None
                rows = [list(sentence) for sentence in document or () if len(sentence)]
                ids = [index for row in rows for index in row]
                _require_ids(ids, len(tokenizer), number)
                writer.add(ids, [len(row) for row in rows], [len(rows)])
                number += 1
            if writer.documents:
                records.append(writer.finish())
    if not records:
        raise InputError("A corpus must hold at least one token. Received: documents without any.")
    return publish(folder, records, {"source": "ids"}, {})


def _require_ids(ids: Sequence[Any], size: int, document: int) -> None:
    """TokenIdError for ids that an array of unsigned integers would not keep, or that are no token."""
    for each in ids:
        if not isinstance(each, (int, np.integer)) or not 0 <= each < size:
            raise TokenIdError(
                f"Ids must be whole numbers in 0..{size - 1}, those of the tokenizer. Received: {each} in document "
                f"{document}. Pass the tokenizer that made them."
            )


def name_of(number: int) -> str:
    """The folder of a shard, counted from 0."""
    return f"shard-{number:05d}"
