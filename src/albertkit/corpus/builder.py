"""Building a corpus: files -> documents -> batches -> ids -> shards, and on again from where it was cut off.

Processes encode batches in any order; what they give is written in the order of the inputs, so that their number
changes nothing.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from albertkit import processors, storage
from albertkit.corpus import (
    build_folder,
    document_batches,
    duplicates,
    layout,
    shard_writer,
    shards,
    statistics,
    workers,
)
from albertkit.corpus.document_batches import DocumentBatches
from albertkit.corpus.duplicates import DuplicateIndex
from albertkit.corpus.inputs import find_readable_files
from albertkit.corpus.layout import BuildProgress, CorpusStatistics, InputFile, ShardRecord
from albertkit.corpus.reader import ReaderOptions
from albertkit.corpus.sentences import SentenceSplitter
from albertkit.corpus.shard_writer import ShardWriter
from albertkit.corpus.shards import Corpus, Shard
from albertkit.corpus.workers import EncodedBatches
from albertkit.errors import ConfigError, InputError, Interrupted
from albertkit.ordered_map import Processes, Workers
from albertkit.tokenization.base import AlbertTokenizerBase

MAX_DEFAULT_PROCESSES = 16
"""Processes that encode unless more are asked for: one process reads, and does not keep more of them busy."""
MAX_UNKNOWN_SHARE = 0.02
"""The share of unknown tokens above which a person is told."""

Note = Callable[[str], None]
"""Is told what a person should know, a line each time."""
ReportProgress = Callable[[int, int, int, int], None]
"""Is told bytes of the inputs, how many of them are read, bytes of text and tokens that these gave."""


@dataclass(frozen=True)
class BuildSettings:
    """What decides the tokens, besides inputs and tokenizer. ConfigError where a shard would hold no token."""

    reader_options: ReaderOptions = field(default_factory=ReaderOptions)
    splitter: SentenceSplitter = field(default_factory=SentenceSplitter)
    deduplicate: bool = False
    """Whether a document with the text of an earlier one is left out."""
    shard_tokens: int = shards.SHARD_TOKENS
    """Tokens after which a shard ends, with the batch of some million characters that reaches them."""

    def __post_init__(self) -> None:
        if self.shard_tokens < 1:
            raise ConfigError(f"`shard_tokens` must be at least 1. Received: {self.shard_tokens}.")

    def to_dict(self) -> dict[str, str | int | bool]:
        """As one level of JSON values, with the release of the rules that cut sentences."""
        return {
            **asdict(self.reader_options),
            **asdict(self.splitter),
            "rules": self.splitter.rules,
            "deduplicate": self.deduplicate,
            "shard_tokens": self.shard_tokens,
            "unit": document_batches.BATCH_CHARS,
        }


_FEWER = "Run the same command again with fewer --workers: it goes on where this one stopped."
_KEPT = "The shards that are finished are kept: make room and run the same command again."


def build(
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    tokenizer: AlbertTokenizerBase,
    settings: BuildSettings | None = None,
    *,
    processes: int | None = None,
    elsewhere: Workers | None = None,
    overwrite: bool = False,
    note: Note = lambda text: None,
    progress: ReportProgress = lambda total, completed, text_bytes, tokens: None,
) -> Corpus:
    """Build a corpus of files, folders and patterns, or go on with the build that was cut off in `output`.

    `processes` encode, by default one a core, MAX_DEFAULT_PROCESSES at most; the result is the same whatever their
    number. `elsewhere` are workers in their place, such as those of a cluster, which must see `output` under the same
    path. `note` and `progress` are called while it goes on, see Note and ReportProgress.

    InputError for inputs that are missing, broken or empty, and for a folder that holds something else; ConfigError
    where a build was begun with other settings; CheckpointError where writing fails or another process builds there;
    TrainingError where a process dies.
    """
    settings, folder = settings or BuildSettings(), Path(output)
    processes = min(processors.count(), MAX_DEFAULT_PROCESSES) if processes is None else processes
    if processes < 1:
        raise ConfigError(f"`workers` must be at least 1. Received: {processes}.")
    encoders = elsewhere or Processes(processes, _FEWER)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"The output must be a folder. Received: {folder}, which is a file.")
    files = find_readable_files(inputs, folder, note)
    if settings.splitter.warning:
        note(settings.splitter.warning)
    with storage.translate_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with storage.try_exclusive_lock(folder):
        storage.clear_abandoned(folder)
        if overwrite:
            build_folder.clear(folder)
        build_folder.require_empty_or_begun(folder)
        described = [build_folder.describe_input(path) for path in files]
        build_folder.begin(folder, described, tokenizer, settings.to_dict())
        if build_folder.is_finished(folder):
            note(f"{folder} holds this corpus already")
        else:
            with storage.translate_os_errors(folder, _KEPT), _interruption_told():
                _Build(folder, files, tokenizer, settings, note, progress).finish(encoders, described)
        (folder / duplicates.FILE_NAME).unlink(missing_ok=True)
        return Corpus.open(folder)


@contextlib.contextmanager
def _interruption_told() -> Iterator[None]:
    """Say at Ctrl-C what is kept of a build."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        text = "Stopped. The shards that are finished are kept: run the same command again and it goes on behind them."
        raise Interrupted.of(stopped, text) from None


class _Build:
    """A build under way, in a folder that `build_folder.begin` has prepared."""

    def __init__(
        self,
        folder: Path,
        files: Sequence[Path],
        tokenizer: AlbertTokenizerBase,
        settings: BuildSettings,
        note: Note,
        progress: ReportProgress,
    ) -> None:
        self._folder, self._files, self._tokenizer, self._settings = folder, files, tokenizer, settings
        self._note, self._progress = note, progress
        self._records = build_folder.finished_shards(folder)
        if self._records:
            note(f"going on behind {len(self._records)} finished shards")

    def finish(self, encoders: Workers, described: Sequence[InputFile]) -> None:
        """Make the shards that are not there yet, and write corpus.json."""
        with contextlib.ExitStack() as stack:
            index = stack.enter_context(contextlib.closing(self._open_index())) if self._settings.deduplicate else None
            last = self._records[-1] if self._records else None
            batches = DocumentBatches(self._files, self._settings.reader_options, index, last)
            tokenizer_folder = (self._folder / layout.TOKENIZER_FOLDER).absolute()
            encoding = workers.encode_batches(tokenizer_folder, self._settings.splitter, encoders, batches)
            encoded = self._report(stack.enter_context(encoding), batches)
            while record := self._write_shard(encoded, index):
                self._records.append(record)
        self._require_tokens(batches)
        figures = self._measure(batches)
        shard_writer.write_corpus_file(self._folder, self._records, self._settings.to_dict(), figures, described)

    def _open_index(self) -> DuplicateIndex:
        if self._records and not (self._folder / duplicates.FILE_NAME).exists():
            raise InputError(
                f"Going on needs {duplicates.FILE_NAME}, the digests of the documents so far. {self._folder} lost it: "
                "begin anew with --overwrite."
            )
        return DuplicateIndex(self._folder)

    def _report(self, encoded: EncodedBatches, batches: DocumentBatches) -> EncodedBatches:
        """The same batches, of which progress is told on the way; what earlier runs did is counted in."""
        total, tokens = sum(path.stat().st_size for path in self._files), sum(row["tokens"] for row in self._records)
        bytes_done = self._records[-1]["bytes_done"] if self._records else 0
        self._progress(total, bytes_done, batches.counts["text_bytes"], tokens)
        for batch, ids in encoded:
            tokens += len(ids.tokens)
            self._progress(total, batch.bytes_done, batch.counts["text_bytes"], tokens)
            yield batch, ids
        self._progress(total, total, batches.counts["text_bytes"], tokens)

    def _write_shard(self, encoded: EncodedBatches, index: DuplicateIndex | None) -> ShardRecord | None:
        """Write the next shard and return its record, or None where no document is left."""
        path = self._folder / layout.shard_name(len(self._records))
        with ShardWriter(path, shard_writer.dtype_for(self._tokenizer)) as writer:
            batch = None
            for batch, ids in encoded:
                ends_document = batch.ends_document and not batch.is_duplicate
                writer.add(ids.tokens, ids.sentences, ids.documents, ends_document=ends_document)
                if batch.is_duplicate:
                    writer.drop_open_document()
                if batch.ends_document and writer.tokens >= self._settings.shard_tokens:
                    break
            if batch is None or not writer.documents:
                return None
            if index:
                index.commit()  # before the shard appears: going on behind it needs its documents' digests
            progress: BuildProgress = {
                "position": batch.position,
                "bytes_done": batch.bytes_done,
                "counts": batch.counts,
            }
            return {**writer.finish(**progress), **progress}

    def _require_tokens(self, batches: DocumentBatches) -> None:
        if self._records:
            return
        broken = batches.counts["broken_records"]
        advice = (
            f" Left out were {broken:,} broken records: without --skip-broken it is said what is wrong with them. A "
            "file that is one JSON array has to be written as lines first, a record a line."
        )
        raise InputError(
            f"A corpus must hold at least one token. Received: {len(self._files)} files with "
            f"{batches.counts['documents_read']:,} documents, all of them empty.{advice if broken else ''}"
        )

    def _measure(self, batches: DocumentBatches) -> CorpusStatistics:
        opened = (Shard.open(self._folder / record["name"]) for record in self._records)
        figures = statistics.measure(opened, self._tokenizer.unk_token_id)
        share = figures.get("unknown_tokens", 0) / sum(record["tokens"] for record in self._records)
        if share > MAX_UNKNOWN_SHARE:
            self._note(f"{share:.1%} of the tokens are unknown: the tokenizer may be of another language than the text")
        return {**batches.counts, **figures}
