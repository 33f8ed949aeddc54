"""A corpus of token ids, read by memory map, and written from ids. Knows ids, no text.

How it lies on disk is in albertkit.corpus.layout.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from albertkit import storage
from albertkit.corpus.layout import (
    ARRAYS,
    CORPUS_FILE,
    FORMAT_VERSION,
    TOKENIZER_FOLDER,
    CorpusRecord,
    ShardSummary,
    shard_name,
)
from albertkit.corpus.shard_writer import ShardWriter, dtype_for, save_tokenizer, write_corpus_file
from albertkit.errors import InputError, TokenIdError
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.fast import AlbertTokenizerFast

SHARD_TOKENS = 2**24
"""Tokens after which a shard ends with its document."""


@dataclass(frozen=True)
class Shard:
    """Whole documents as ids, mapped from disk: T tokens in S sentences in D documents."""

    tokens: np.ndarray
    """(T,) uint16 or uint32, without special tokens."""
    sentences: np.ndarray
    """(S + 1,) int64: sentence s is tokens[sentences[s] : sentences[s + 1]]."""
    documents: np.ndarray
    """(D + 1,) int64: document d is the sentences documents[d] to documents[d + 1], the last not included."""

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> "Shard":
        """Map the three arrays of a shard's folder. InputError where one is missing or cut short."""
        files = [Path(folder) / f"{name}.npy" for name in ARRAYS]
        for file in files:
            storage.require_content(file, InputError)
        try:
            shard = cls(*(np.load(file, mmap_mode="r") for file in files))
        except (OSError, ValueError, EOFError) as error:
            raise InputError(
                f"A shard must hold {', '.join(ARRAYS)} as complete .npy files. Reading {folder} failed: {error}. "
                "If a copy was cut short, repeat it."
            ) from error
        if int(shard.sentences[-1]) != len(shard.tokens) or int(shard.documents[-1]) != len(shard.sentences) - 1:
            raise InputError(
                f"The arrays of a shard must belong together. Those of {folder} do not: repeat the copy or the build."
            )
        return shard

    def slice_documents(self, first: int, end: int) -> "Shard":
        """Documents `first` to `end`, the last not included, as a shard of their own, mapped still if `first` is 0."""
        sentences = slice(int(self.documents[first]), int(self.documents[end]) + 1)
        tokens = slice(int(self.sentences[sentences][0]), int(self.sentences[sentences][-1]))
        return Shard(
            self.tokens[tokens],
            self.sentences[sentences] - tokens.start if first else self.sentences[sentences],
            self.documents[first : end + 1] - sentences.start if first else self.documents[: end + 1],
        )


class Corpus:
    """A finished corpus, its shards mapped from disk.

    Travels between processes as its folder; one side of a split, which no folder holds, as a copy of its arrays.
    """

    def __init__(self, folder: Path, head: CorpusRecord, shards: Sequence[Shard]) -> None:
        """`head` is what corpus.json holds; the counts in it are those of `shards`. To read a folder, see `open`."""
        self.folder = folder
        self.shards = tuple(shards)
        self.head = head
        self.fingerprint: str = head["fingerprint"]
        """Of the tokenizer's files, the settings, and the arrays of every shard."""
        self.statistics = head["statistics"]
        """What the build counted; {} where the corpus was written from ids."""
        self.tokens: int = head["tokens"]
        self.sentences: int = head["sentences"]
        self.documents: int = head["documents"]

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> "Corpus":
        """Open a corpus. InputError where there is none, or it is unfinished or damaged."""
        folder = Path(folder)
        if not (folder / CORPUS_FILE).is_file():
            is_begun = any(folder.glob("shard-*")) or (folder / TOKENIZER_FOLDER).is_dir()
            advice = (
                "Its build was cut off: run the same command again and it goes on."
                if is_begun
                else "Make one with: albertkit corpus build."
            )
            raise InputError(f"A corpus is a folder with {CORPUS_FILE}. {folder} holds none. {advice}")
        head = _require_corpus_record(folder / CORPUS_FILE, storage.read_json(folder / CORPUS_FILE))
        shards = [Shard.open(folder / row["name"]) for row in head["shards"]]
        for row, shard in zip(head["shards"], shards, strict=True):
            if len(shard.tokens) != row["tokens"]:
                raise InputError(
                    f"Shard {row['name']} of {folder} must have {row['tokens']} tokens, as {CORPUS_FILE} says. It has "
                    f"{len(shard.tokens)}: repeat the copy or the build."
                )
        return cls(folder, head, shards)

    def split(self, part: float) -> "tuple[Corpus, Corpus]":
        """All but the last documents of shards, and these: at most `part` of the tokens, but at least a document.

        Where the last document of a shard is longer than its share, later shards give so much more. Every shard keeps
        a document. InputError where all have only one.
        """
        # Of each shard: the tokens from the start of each document to the end of the shard.
        tokens_after = [len(shard.tokens) - shard.sentences[shard.documents] for shard in self.shards]
        cuts, owed = [], 0.0
        for tokens in tokens_after:
            owed += part * tokens[0]
            cuts.append(max(int(np.count_nonzero(tokens > owed)), 1))
            owed -= tokens[cuts[-1]]
        if not any(tokens[cut] for tokens, cut in zip(tokens_after, cuts, strict=True)):
            cuts[self._shard_of_shortest_last_document(tokens_after)] -= 1
        ends = [len(shard.documents) - 1 for shard in self.shards]
        kept = [shard.slice_documents(0, cut) for shard, cut in zip(self.shards, cuts, strict=True)]
        held_out = [
            shard.slice_documents(cut, end)
            for shard, cut, end in zip(self.shards, cuts, ends, strict=True)
            if cut < end
        ]
        return self._with_shards(kept), self._with_shards(held_out)

    def _shard_of_shortest_last_document(self, tokens_after: Sequence[np.ndarray]) -> int:
        """Of the shards that have two documents or more. InputError where there is none."""
        last = [(tokens[-2], number) for number, tokens in enumerate(tokens_after) if len(tokens) > 2]
        if not last:
            raise InputError(
                f"Holding out a part needs a shard of two documents. Those of {self.folder} have one each. Build "
                "another corpus to evaluate on."
            )
        return min(last)[1]

    def _with_shards(self, shards: Sequence[Shard]) -> "Corpus":
        head = self.head.copy()
        head["tokens"] = sum(len(shard.tokens) for shard in shards)
        head["sentences"] = sum(len(shard.sentences) - 1 for shard in shards)
        head["documents"] = sum(len(shard.documents) - 1 for shard in shards)
        return Corpus(self.folder, head, shards)

    def tokenizer(self) -> AlbertTokenizerBase:
        """The tokenizer that made the ids, read from the folder; an AlbertWordPieceTokenizer where it was one."""
        return AlbertTokenizerFast.from_pretrained(self.folder / TOKENIZER_FOLDER)

    def __reduce__(self) -> tuple[Callable[..., "Corpus"], tuple[object, ...]]:
        if self.tokens != sum(row["tokens"] for row in self.head["shards"]):  # one side of a split
            return Corpus, (self.folder, self.head, self.shards)
        return Corpus.open, (self.folder,)

    def __repr__(self) -> str:
        return f"Corpus({self.folder}: {self.documents:,} documents, {self.tokens:,} tokens)"


def _require_corpus_record(file: Path, head: Mapping[str, object]) -> CorpusRecord:
    """The contents of corpus.json. InputError where they are of another release, or not as a build writes them."""
    if head.get("format") != FORMAT_VERSION:
        raise InputError(
            f"{file} must be of format {FORMAT_VERSION}. It is of {head.get('format')!r}, of another release of "
            "albertkit: build the corpus anew with this one."
        )
    types = {"fingerprint": str, "statistics": dict, "settings": dict, "shards": list}
    types |= dict.fromkeys(("tokens", "sentences", "documents"), int)
    wrong = [key for key, expected in types.items() if not isinstance(head.get(key), expected)]
    if not wrong and not _are_shard_summaries(cast("list[object]", head["shards"])):
        wrong = ["shards"]
    if wrong:
        raise InputError(
            f"{file} must be as the build of a corpus wrote it. Missing or of another kind: {', '.join(wrong)}. Repeat "
            "the copy, or build the corpus anew."
        )
    return cast("CorpusRecord", head)


def _are_shard_summaries(rows: Sequence[object]) -> bool:
    """Whether rows name the shards as `shard_name` does. Other names could lead out of the corpus's folder."""
    return all(
        isinstance(row, dict) and row.get("name") == shard_name(number) and isinstance(row.get("tokens"), int)
        for number, row in enumerate(rows)
    )


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
    if (folder / CORPUS_FILE).exists() or any(folder.glob("shard-*")):
        raise InputError(
            f"A corpus is written to a folder without one. Received: {folder}, which holds one, or shards of one that "
            "was cut off."
        )
    save_tokenizer(folder, tokenizer)
    records: list[ShardSummary] = []
    source = enumerate(documents, start=1)
    is_finished = False
    while not is_finished:
        with ShardWriter(folder / shard_name(len(records)), dtype_for(tokenizer)) as writer:
            is_finished = _fill_shard(writer, source, len(tokenizer), shard_tokens)
            if writer.documents:
                records.append(writer.finish())
    if not records:
        raise InputError("A corpus must hold at least one token. Received: documents without any.")
    write_corpus_file(folder, records, {"source": "ids"}, {})
    return Corpus.open(folder)


def _fill_shard(
    writer: ShardWriter, documents: Iterable[tuple[int, Sequence[Sequence[int]]]], vocab_size: int, shard_tokens: int
) -> bool:
    """Add numbered documents until the shard has `shard_tokens`. Returns whether there were none left."""
    for number, document in documents:
        sentences = [list(sentence) for sentence in document if len(sentence)]
        ids = [index for sentence in sentences for index in sentence]
        _require_ids(ids, vocab_size, number)
        writer.add(ids, [len(sentence) for sentence in sentences], [len(sentences)])
        if writer.tokens >= shard_tokens:
            return False
    return True


def _require_ids(ids: Sequence[object], vocab_size: int, document: int) -> None:
    """TokenIdError for ids that an array of unsigned integers would not keep, or that are no token."""
    for index in ids:
        if not isinstance(index, (int, np.integer)) or not 0 <= index < vocab_size:
            raise TokenIdError(
                f"Ids must be whole numbers in 0..{vocab_size - 1}, those of the tokenizer. Received: {index} in "
                f"document {document}. Pass the tokenizer that made them."
            )
