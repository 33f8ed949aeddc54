"""Building a corpus: files -> documents -> units -> ids -> shards, and on again from where it was cut off.

Processes encode units in any order; what they give is written in the order of the inputs, so that their number changes
nothing. The finished shards say how far a build is.
"""

import contextlib
import hashlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from albertkit import storage
from albertkit.corpus import documents, duplicates, shards, statistics, units, workers
from albertkit.corpus.duplicates import Seen
from albertkit.corpus.inputs import chosen, written
from albertkit.corpus.sentences import Splitter
from albertkit.corpus.shards import Corpus, Shard, ShardWriter
from albertkit.corpus.units import Unit, Units
from albertkit.errors import ConfigError, InputError
from albertkit.tokenization.base import AlbertTokenizerBase

BEGUN = "build.json"
"""What a build was begun with: once a shard is finished, it goes on only with the same."""
MOST = 16
"""Processes that encode unless more are asked for: one process reads, and does not keep more of them busy."""

UNKNOWN = 0.02
"""The share of unknown tokens from which on it is told."""

Source = Mapping[str, Any]
"""A file of the inputs: name, bytes, digest."""

_UNWRITTEN = f".{BEGUN}-*"
"""What a kill leaves of BEGUN while it is written."""
_OWN = (
    shards.HEAD,
    BEGUN,
    _UNWRITTEN,
    f".{shards.HEAD}-*",
    shards.TOKENIZER,
    f"{duplicates.NAME}*",
    "shard-*",
    ".shard-*",
)
"""All that a corpus and its build may hold."""


@dataclass(frozen=True)
class Settings:
    """What decides the tokens, besides inputs and tokenizer."""

    reading: documents.Options = field(default_factory=documents.Options)
    splitter: Splitter = field(default_factory=Splitter)
    deduplicate: bool = False
    """Whether a document with the text of an earlier one is left out."""
    shard_tokens: int = shards.SHARD_TOKENS
    """Tokens after which a shard ends, with the unit of some million characters that reaches them."""

    def __post_init__(self) -> None:
        if self.shard_tokens < 1:
            raise ConfigError(f"`shard_tokens` must be at least 1. Received: {self.shard_tokens}.")

    def flat(self) -> dict[str, Any]:
        """As one level of JSON values, with the release of the rules that cut sentences."""
        own = {"deduplicate": self.deduplicate, "shard_tokens": self.shard_tokens, "unit": units.UNIT}
        return asdict(self.reading) | asdict(self.splitter) | {"rules": self.splitter.rules} | own


_KEPT = "The shards that are finished are kept: make room and run the same command again."


def build(
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    tokenizer: AlbertTokenizerBase,
    settings: Settings | None = None,
    *,
    processes: int | None = None,
    overwrite: bool = False,
    note: Callable[[str], None] = lambda text: None,
    show: Callable[[int, int, int, int], None] = lambda total, position, text, tokens: None,
) -> Corpus:
    """Build a corpus of files, folders and patterns, or go on with the build that was cut off in `output`.

    `processes` encode, by default one a core, MOST at most; the result is the same whatever their number. `show` is
    told the bytes of the inputs, how many of them are done, the bytes of text and the tokens that they gave; `note`
    what a person should know.

    InputError for inputs that are missing, broken or empty, and for a folder that holds something else; ConfigError
    where a build was begun with other settings; CheckpointError where writing fails or another process builds there.
    """
    settings, folder = settings or Settings(), Path(output)
    processes = min(cores(), MOST) if processes is None else processes
    if processes < 1:
        raise ConfigError(f"`workers` must be at least 1. Received: {processes}.")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"The output must be a folder. Received: {folder}, which is a file.")
    files = chosen(inputs, folder, note)
    if settings.splitter.remark:
        note(settings.splitter.remark)
    with storage.explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with storage.alone(folder):
        storage.clear_abandoned(folder)
        if overwrite:
            _clear(folder)
        _require_own(folder)
        sources = [_source(path) for path in files]
        _begin(folder, sources, tokenizer, settings)
        if (folder / shards.HEAD).exists():
            note(f"{folder} holds this corpus already")
        else:
            with storage.explained(folder, _KEPT):
                _finish(folder, files, sources, tokenizer, settings, processes, note, show)
        (folder / duplicates.NAME).unlink(missing_ok=True)
        return Corpus.open(folder)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _source(path: Path) -> Source:
    """A file as a corpus remembers it. The digest takes little: a build reads a hundred times slower."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise InputError(
            f"An input must be a file that can be read. Reading {written(path)} failed: {error}. Leave it out, or "
            "repeat the command when it can be read."
        ) from error
    return {"name": written(path.name), "bytes": path.stat().st_size, "digest": digest}


def _require_own(folder: Path) -> None:
    """InputError for a folder that holds something and no corpus."""
    found = sorted(path.name for path in folder.iterdir() if not path.match(_UNWRITTEN))
    if found and not (folder / BEGUN).exists():
        raise InputError(
            f"A corpus is built in a new or empty folder. {folder} holds {_some(found)}. Give another --output, or "
            "pass --overwrite to replace a corpus."
        )


def _begin(folder: Path, sources: Sequence[Source], tokenizer: AlbertTokenizerBase, settings: Settings) -> None:
    """Write down what a build begins with, or make sure that it is the same."""
    with tempfile.TemporaryDirectory() as aside:
        digest = shards.save_tokenizer(aside, tokenizer)
    begins = {"files": sources, "tokenizer": digest, **settings.flat()}
    if (folder / BEGUN).exists():
        if (folder / shards.HEAD).exists() or any(folder.glob("shard-*")):
            _require_same(folder, begins)
        else:  # nothing is finished, so nothing binds
            for path in folder.glob(f"{duplicates.NAME}*"):
                path.unlink()
    if not (folder / shards.HEAD).exists():
        storage.write_json(folder / BEGUN, begins)
        shards.save_tokenizer(folder, tokenizer)


def _require_same(folder: Path, begins: Mapping[str, Any]) -> None:
    """ConfigError where what is finished was made of something else: of a build under way, the inputs read so far."""
    began = storage.read_json(folder / BEGUN)
    if not (folder / shards.HEAD).exists():
        if began.get("skip_broken") is False:
            # Nothing was broken so far: whoever meets the first broken record may pass over it from there on.
            began["skip_broken"] = begins["skip_broken"]
        if records := _finished(folder):
            read = records[-1]["position"][0] + 1
            began, begins = ({**given, "files": given.get("files", [])[:read]} for given in (began, begins))
    apart = [f"{key}: {_told(began, begins, key)}" for key in begins if began.get(key) != begins[key]]
    if apart:
        raise ConfigError(
            f"A build goes on only with what it was begun with. In {folder}, then and now: {'; '.join(apart)}. "
            "Give the same, or another --output, or begin anew with --overwrite."
        )


def _finished(folder: Path) -> list[dict[str, Any]]:
    """The records of the shards that are there."""
    names = (shards.name_of(number) for number in itertools.count())
    there = itertools.takewhile(Path.exists, (folder / name / shards.RECORD for name in names))
    return [storage.read_json(path) for path in there]


def _clear(folder: Path) -> None:
    """Take away a corpus, finished or only begun. InputError where the folder holds anything else: nothing is touched.

    A folder without a corpus is left as it is.
    """
    there = list(folder.iterdir())
    if not any(path.name in (shards.HEAD, BEGUN) for path in there):
        return
    other = sorted(path.name for path in there if not any(path.match(pattern) for pattern in _OWN))
    if other:
        raise InputError(
            f"--overwrite replaces a corpus and nothing else. {folder} holds {_some(other)} beside one. Move that "
            "away, or give another --output."
        )
    with storage.explained(folder, "Part of the corpus is gone: run the same command again."):
        storage.write_json(folder / BEGUN, {})  # cut off from here on, it goes on with nothing but --overwrite
        for path in there:
            if path.name != BEGUN:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        (folder / BEGUN).unlink()


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")


def _told(began: Mapping[str, Any], begins: Mapping[str, Any], key: str) -> str:
    """The two values of a setting; of lists the first place where they differ."""
    then, now = began.get(key), begins[key]
    if isinstance(now, list):
        pairs = itertools.zip_longest(then or [], now)
        then, now = map(_described, next(pair for pair in pairs if pair[0] != pair[1]))
        now = "the same name and size with other contents" if then == now else now
    return f"{then} and {now}"


def _described(source: Source | None) -> str:
    return f"{source['name']}, {source['bytes']:,} bytes" if source else "nothing"


def _finish(
    folder: Path,
    files: Sequence[Path],
    sources: Sequence[Source],
    tokenizer: AlbertTokenizerBase,
    settings: Settings,
    processes: int,
    note: Callable[[str], None],
    show: Callable[[int, int, int, int], None],
) -> None:
    """Make the shards that are not there yet, and publish the corpus."""
    records = _finished(folder)
    behind = records[-1] if records else None
    if behind:
        note(f"going on behind {len(records)} finished shards")
    with contextlib.ExitStack() as stack:
        seen = None
        if settings.deduplicate:
            if behind and not (folder / duplicates.NAME).exists():
                raise InputError(
                    f"Going on needs {duplicates.NAME}, the digests of the documents so far. {folder} lost it: begin "
                    "anew with --overwrite."
                )
            seen = stack.enter_context(contextlib.closing(Seen(folder)))
        source = Units(files, settings.reading, seen, behind)
        encoding = workers.encoding(folder / shards.TOKENIZER, settings.splitter, processes, source)
        encoded = _shown(stack.enter_context(encoding), source, files, records, show)
        while record := _write(folder / shards.name_of(len(records)), encoded, tokenizer, settings.shard_tokens, seen):
            records.append(record)
    if not records:
        broken = source.counts["broken_records"]
        advice = (
            f" Left out were {broken:,} broken records: without --skip-broken it is said what is wrong with them. A "
            "file that is one JSON array has to be written as lines first, a record a line."
        )
        raise InputError(
            f"A corpus must hold at least one token. Received: {len(files)} files with "
            f"{source.counts['documents_read']:,} documents, all of them empty.{advice if broken else ''}"
        )
    opened = (Shard.open(folder / shards.name_of(number)) for number in range(len(records)))
    figures = source.counts | statistics.measure(opened, tokenizer.unk_token_id)
    share = figures["unknown_tokens"] / sum(record["tokens"] for record in records)
    if share > UNKNOWN:
        note(f"{share:.1%} of the tokens are unknown: the tokenizer may be of another language than the text")
    shards.publish(folder, records, settings.flat(), figures, inputs=sources)


Encoded = Iterator[tuple[Unit, workers.Encoded]]


def _shown(
    encoded: Encoded,
    source: Units,
    files: Sequence[Path],
    records: Sequence[Mapping[str, Any]],
    show: Callable[[int, int, int, int], None],
) -> Encoded:
    """The same, told to `show` on the way, from what `records` of earlier shards say on."""
    total, tokens = sum(path.stat().st_size for path in files), sum(record["tokens"] for record in records)
    behind = records[-1] if records else {"bytes_done": 0, "counts": {"text_bytes": 0}}
    show(total, behind["bytes_done"], behind["counts"]["text_bytes"], tokens)
    for unit, got in encoded:
        tokens += len(got.tokens)
        show(total, unit.bytes_done, unit.counts["text_bytes"], tokens)
        yield unit, got
    show(total, total, source.counts["text_bytes"], tokens)


def _write(
    path: Path, encoded: Encoded, tokenizer: AlbertTokenizerBase, most: int, seen: Seen | None
) -> dict[str, Any] | None:
    """Write the next shard and return its record, or None where no document is left."""
    with ShardWriter(path, shards.dtype_for(tokenizer)) as writer:
        unit = None
        for unit, got in encoded:
            writer.add(got.tokens, got.sentences, got.documents, ended=unit.ended and not unit.dropped)
            if unit.dropped:
                writer.drop()
            if unit.ended and writer.tokens >= most:
                break
        if unit is None or not writer.documents:
            return None
        if seen:
            seen.commit()
        return writer.finish(position=unit.position, bytes_done=unit.bytes_done, counts=unit.counts)
